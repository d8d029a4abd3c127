// A Python editor of CodeMirror 6; `web/bundle.py` bundles this file with it into vendor/codemirror.js, which defines
//     makeEditor(parent, {text, label, onChange, onSubmit}) → {get text, set text, focus()}
import { closeBrackets, closeBracketsKeymap } from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap, indentWithTab } from "@codemirror/commands";
import { python } from "@codemirror/lang-python";
import { HighlightStyle, bracketMatching, indentOnInput, indentUnit, syntaxHighlighting } from "@codemirror/language";
import { EditorState } from "@codemirror/state";
import { EditorView, drawSelection, highlightActiveLine, keymap, lineNumbers } from "@codemirror/view";
import { tags } from "@lezer/highlight";

// The colours are CSS variables of editor.css, so that they follow the theme of the page.
const COLOURS = {
  keyword: [tags.keyword, tags.operatorKeyword, tags.self],
  string: [tags.string, tags.docString],
  comment: [tags.comment],
  number: [tags.number, tags.bool, tags.null],
  name: [tags.definition(tags.function(tags.variableName)), tags.definition(tags.className)],
};
const highlighting = HighlightStyle.define(
  Object.entries(COLOURS).map(([name, tag]) => ({ tag, color: `var(--editor-${name})` })),
);

const theme = EditorView.theme({
  "&": { color: "var(--color-foreground-primary)", backgroundColor: "var(--color-code-background, transparent)" },
  "&.cm-focused": { outline: "2px solid var(--color-brand-primary)" },
  ".cm-scroller": { fontFamily: "var(--font-stack--monospace, monospace)", lineHeight: "1.5" },
  ".cm-gutters": { color: "var(--color-foreground-secondary)", backgroundColor: "transparent", border: "none" },
  ".cm-content": { caretColor: "var(--color-foreground-primary)" },
  ".cm-cursor": { borderLeftColor: "var(--color-foreground-primary)" },
  ".cm-activeLine": { backgroundColor: "var(--editor-line)" },
  "&.cm-focused .cm-matchingBracket": { backgroundColor: "var(--editor-bracket)" },
  "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground": {
    backgroundColor: "var(--editor-selection)",
  },
});

/** An editor with a text, as the last child of `parent`. Tab indents; after Escape, Tab leaves the editor. */
globalThis.makeEditor = (parent, { text = "", label = "Python", onChange = () => {}, onSubmit = () => {} } = {}) => {
  const submit = () => (onSubmit(), true);
  const view = new EditorView({
    parent,
    state: EditorState.create({
      doc: text,
      extensions: [
        keymap.of([{ key: "Mod-Enter", run: submit }]), // before the default keys, which insert a line
        lineNumbers(),
        history(),
        drawSelection(),
        indentOnInput(),
        bracketMatching(),
        closeBrackets(),
        highlightActiveLine(),
        indentUnit.of("    "),
        EditorState.tabSize.of(4),
        python(),
        syntaxHighlighting(highlighting),
        theme,
        keymap.of([...closeBracketsKeymap, ...defaultKeymap, ...historyKeymap, indentWithTab]),
        EditorView.contentAttributes.of({ "aria-label": label, spellcheck: "false", autocapitalize: "off", autocorrect: "off" }),
        EditorView.updateListener.of((update) => update.docChanged && onChange(update.state.doc.toString())),
      ],
    }),
  });
  return {
    get text() {
      return view.state.doc.toString();
    },
    set text(value) {
      view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: value } });
    },
    focus: () => view.focus(),
  };
};
