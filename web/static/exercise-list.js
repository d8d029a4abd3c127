// The list of exercises: what is correct, and all answers as one file.
"use strict";

{
  const list = document.querySelector(".exercises");
  const find = (name) => list.querySelector(name);
  const say = (text) => (find(".exercises-message").textContent = text);

  function show() {
    for (const item of list.querySelectorAll("[data-exercise]")) answers.showState(item.querySelector(".state"), item.dataset.exercise);
    const done = answers.course.filter(({ name }) => answers.state(name).passed).length;
    find(".done").textContent = find("progress").value = done;
  }

  async function open() {
    try {
      say(answers.open(await answers.choose()));
    } catch (error) {
      say(`The file cannot be read: ${error.message}`);
    }
    show();
  }

  find(".download").onclick = () => answers.download("minisiam-work.zip", zipFiles(answers.files()));
  find(".open").onclick = open;
  find(".exercises-progress").hidden = false;
  show();
  addEventListener("pageshow", show); // also after the browser's Back
}
