"""The slides of the lessons."""

import pytest

LESSONS = ["00_pullbacks", "05_triplet", "16_many_machines", "18_your_own_loss"]


@pytest.mark.parametrize("name", LESSONS)
def test_every_slide_of_a_lesson_fits_and_the_keyboard_reaches_the_last(watched, name):
    page = watched().open(f"slides/{name}.html")
    page.wait_for_function("window.Reveal && Reveal.isReady()")
    heights = []
    for _ in range(page.evaluate("Reveal.getTotalSlides()")):
        heights.append(page.evaluate("Reveal.getCurrentSlide().scrollHeight"))
        page.keyboard.press("Space")
    assert len(heights) >= 10 and max(heights) <= 700
    assert page.evaluate("Reveal.isLastSlide()")


def test_a_slide_shows_formulas_and_figures_and_its_notes_have_the_whole_text(watched):
    page, lesson = (watched().open(f"{folder}/05_triplet.html") for folder in ("slides", "lessons"))
    assert page.locator(".slides .katex-display").count() == lesson.locator(".katex-display").count() > 0
    assert page.locator(".slides figure img").count() == lesson.locator(".cell_output img").count() > 0
    assert page.evaluate("[...document.querySelectorAll('.slides figure img')].every(picture => picture.complete)")
    section = page.locator(".slides section section", has_text="Order, not distance").first
    shown = section.locator(":scope > p").first.inner_text()
    notes = section.locator("aside.notes").first.text_content()
    assert shown == "Add any constant to both distances and none of the three changes."
    assert notes.startswith(shown) and len(notes) > 3 * len(shown)


def test_the_page_of_a_lesson_leads_to_its_slides_and_back(watched):
    page = watched().open("lessons/05_triplet.html")
    page.locator(".downloads a", has_text="Slides").click()
    page.locator(".source a").click()
    page.wait_for_url("**/lessons/05_triplet.html")
