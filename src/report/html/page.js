
// Shows what is pointed at or focused, and moves the focus along a line. The page is whole without it.
(() => {
  const tip = document.getElementById("tip");
  const pointed = ".points > *, .stall";
  const says = (mark) => mark.getAttribute("aria-label") ?? mark.dataset.says;
  for (const mark of document.querySelectorAll(pointed)) {
    // The browser's own tooltip would come late, and over ours.
    const title = mark.querySelector("title");
    mark.dataset.says = title?.textContent ?? "";
    title?.remove();
  }
  const hide = () => { tip.hidden = true; };
  const show = (mark, x, y) => {
    tip.textContent = says(mark);
    tip.hidden = false;
    const room = 8, box = tip.getBoundingClientRect();
    const left = Math.min(Math.max(x - box.width / 2, room), innerWidth - box.width - room);
    const above = y - box.height - 12;
    tip.style.left = `${left}px`;
    tip.style.top = `${above > room ? above : y + 16}px`;
  };
  const showAt = (mark) => {
    const box = mark.getBoundingClientRect();
    show(mark, box.left + box.width / 2, box.top);
  };
  document.addEventListener("pointermove", (event) => {
    const mark = event.target.closest?.(pointed);
    mark ? show(mark, event.clientX, event.clientY) : hide();
  });
  document.addEventListener("focusin", (event) => {
    const mark = event.target.closest?.(pointed);
    mark ? showAt(mark) : hide();
  });
  document.addEventListener("focusout", hide);
  // The focus itself may have scrolled: what has it stays shown.
  document.addEventListener("scroll", () => {
    if (tip.hidden) return;
    const mark = document.activeElement?.closest(pointed);
    mark ? showAt(mark) : hide();
  }, true);
  const move = (mark, key) => {
    const line = [...mark.parentNode.children], at = line.indexOf(mark);
    const lines = [...mark.closest("svg").querySelectorAll(".points")];
    const other = (step) => lines[lines.indexOf(mark.parentNode) + step]?.children;
    const beside = (marks) => marks?.[Math.min(at, marks.length - 1)];
    switch (key) {
      case "ArrowRight": return line[at + 1];
      case "ArrowLeft": return line[at - 1];
      case "Home": return line[0];
      case "End": return line.at(-1);
      case "ArrowDown": return beside(other(1));
      case "ArrowUp": return beside(other(-1));
    }
  };
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") return hide();
    const mark = event.target.closest?.(".points > *");
    const next = mark && move(mark, event.key);
    if (!next) return;
    event.preventDefault();
    // One tab stop for each line: where one has been last.
    for (const other of next.parentNode.children) other.tabIndex = -1;
    next.tabIndex = 0;
    next.focus();
  });
})();
