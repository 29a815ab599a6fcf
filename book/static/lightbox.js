/* A click on a figure, or its button, shows it alone and as large as the window. Esc, the button or a click ends
   that, and the focus goes back to where it was. */
"use strict";

(() => {
  const dialog = document.createElement("dialog"), stage = document.createElement("div");
  const close = document.createElement("button");
  dialog.className = "l2o-lightbox";
  close.type = "button";
  close.textContent = "✕";
  close.setAttribute("aria-label", "Close");
  dialog.append(close, stage);
  for (const target of [close, stage]) target.addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => stage.replaceChildren());
  document.body.append(dialog);

  for (const figure of document.querySelectorAll(".bd-content figure")) {
    const picture = figure.querySelector("svg.l2o-figure, img");
    if (!picture) continue;
    const button = document.createElement("button");
    const name = figure.querySelector(".caption-number")?.textContent.trim() ?? "the figure";
    button.type = "button";
    button.className = "l2o-enlarge";
    button.textContent = "⤢";
    button.setAttribute("aria-label", `Enlarge ${name}`);
    button.title = "Enlarge";
    const open = event => {
      event.preventDefault();
      const copy = picture.cloneNode(true), { width, height } = picture.getBoundingClientRect();
      copy.removeAttribute("style");
      copy.style.setProperty("--l2o-aspect", width / height);
      stage.replaceChildren(copy);
      dialog.setAttribute("aria-label", `${name}, enlarged`);
      button.focus(); // where the focus returns to
      dialog.showModal();
    };
    for (const target of [button, picture]) target.addEventListener("click", open);
    picture.classList.add("l2o-enlarges");
    (figure.querySelector("figcaption") ?? figure).prepend(button);
  }
})();
