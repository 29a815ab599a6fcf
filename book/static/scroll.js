/* A table or an equation that is wider than the page scrolls in its own frame. While it does, the frame can be
   reached with the keyboard, has a name, and fades at the side where more of it is (l2o.css). */
"use strict";

(() => {
  function watch(frame, name) {
    const look = () => {
      const hidden = frame.scrollWidth - frame.clientWidth, scrolls = hidden > 1;
      frame.classList.toggle("l2o-scrolls", scrolls);
      frame.classList.toggle("l2o-more-left", scrolls && frame.scrollLeft > 1);
      frame.classList.toggle("l2o-more-right", frame.scrollLeft < hidden - 1);
      if (scrolls) frame.tabIndex = 0;
      else frame.removeAttribute("tabindex");
      if (!name) return;
      if (scrolls) frame.setAttribute("role", "region");
      else frame.removeAttribute("role");
      if (scrolls) frame.setAttribute("aria-label", name);
      else frame.removeAttribute("aria-label");
    };
    frame.addEventListener("scroll", look, { passive: true });
    // The content too: formulas in a table and letters that load late widen it while the frame stays as it is.
    const sizes = new ResizeObserver(look);
    for (const part of [frame, ...frame.children]) sizes.observe(part);
    look();
  }

  for (const frame of document.querySelectorAll(".l2o-frame")) watch(frame);

  const equations = () => {
    for (const frame of document.querySelectorAll(".bd-content div.math > mjx-container")) {
      const number = frame.parentElement.querySelector(".eqno")?.firstChild.textContent ?? "";
      watch(frame, `equation ${number}`.trim());
    }
  };
  addEventListener("load", () => window.MathJax?.startup?.promise?.then(equations));
})();
