// Run inside a page: which texts overlap, are cut, or leave their box or the page. What scrolls in a box of its own
// may be wider than the page; what is not shown is not measured.
addEventListener("load", () => document.fonts.ready.then(() => {
  const problems = [], slack = 1.5;
  const words = (text) => JSON.stringify(text.trim().replace(/\s+/g, " ").slice(0, 60));
  const scrolls = (element) => element.closest(".scroller");
  const texts = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const holder = node.parentElement;
    if (!node.data.trim() || holder.closest("script, style, title, desc") || !holder.checkVisibility()) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    for (const box of range.getClientRects())
      if (box.width > 0.5 && box.height > 0.5) texts.push({node, holder, box});
  }
  const wide = document.documentElement.clientWidth;
  const inside = (inner, outer) => inner.left >= outer.left - slack && inner.right <= outer.right + slack &&
    inner.top >= outer.top - slack && inner.bottom <= outer.bottom + slack;
  // 1. within the page, and within what holds them
  for (const {node, holder, box} of texts) {
    if (!scrolls(holder) && (box.left < -slack || box.right > wide + slack))
      problems.push(`${words(node.data)} leaves the page: ${box.left.toFixed()} to ${box.right.toFixed()} of ${wide}`);
    const drawn = holder.closest("g.box, g.tag");
    if (drawn && !inside(box, drawn.querySelector("rect").getBoundingClientRect()))
      problems.push(`${words(node.data)} leaves its box in the picture`);
    const block = holder.closest("td, th, p, li, h1, h2, h3, .chip");
    if (!drawn && block) {
      const frame = block.getBoundingClientRect();
      if (box.left < frame.left - slack || box.right > frame.right + slack)
        problems.push(`${words(node.data)} leaves its ${block.tagName} by ${(box.right - frame.right).toFixed(1)}`);
    }
  }
  // 2. the boxes of the picture within the picture, none over another but its own frame
  for (const picture of document.querySelectorAll("svg.picture")) {
    if (!picture.checkVisibility() || !picture.getClientRects().length) continue;
    const sheet = picture.getBoundingClientRect();
    const boxes = [...picture.querySelectorAll("g.box > rect:first-of-type")].map((r) => r.getBoundingClientRect());
    boxes.forEach((one, n) => {
      if (!inside(one, sheet)) problems.push("a box leaves the picture");
      for (const other of boxes.slice(n + 1)) {
        const apart = one.right <= other.left + slack || other.right <= one.left + slack ||
          one.bottom <= other.top + slack || other.bottom <= one.top + slack;
        if (!apart && !inside(one, other) && !inside(other, one)) problems.push("two boxes of the picture overlap");
      }
    });
    // signs and pips are no text, but cover it as well
    const signs = [...picture.querySelectorAll("use, .pip")].map((s) => s.getBoundingClientRect());
    for (const {node, holder, box} of texts) {
      if (!picture.contains(holder)) continue;
      if (signs.some((s) => s.left < box.right - slack && s.right > box.left + slack &&
          s.top < box.bottom - 2 * slack && s.bottom > box.top + 2 * slack))
        problems.push(`${words(node.data)} is covered by a sign`);
    }
    const small = sheet.width / picture.viewBox.baseVal.width;
    if (small < 0.99) problems.push(`the picture is shrunk to ${small.toFixed(2)}`);
  }
  // 3. no text over another
  const order = texts.sort((a, b) => a.box.top - b.box.top);
  order.forEach((one, n) => {
    for (let k = n + 1; k < order.length && order[k].box.top < one.box.bottom - 2 * slack; k++) {
      const other = order[k];
      if (other.node !== one.node && one.box.left < other.box.right - slack && other.box.left < one.box.right - slack)
        problems.push(`${words(one.node.data)} overlaps ${words(other.node.data)}`);
    }
  });
  // 4. nothing cut, no page that scrolls sideways
  for (const element of document.querySelectorAll("body *")) {
    const style = getComputedStyle(element);
    const hides = style.overflowX !== "visible" || style.textOverflow === "ellipsis";
    if (hides && !scrolls(element) && element.scrollWidth > element.clientWidth + slack && element.clientWidth)
      problems.push(`${element.tagName}.${element.className} is cut: ${words(element.textContent)}`);
  }
  if (document.documentElement.scrollWidth > wide + slack)
    problems.push(`the page scrolls sideways: ${document.documentElement.scrollWidth} in ${wide}`);
  parent.document.getElementById("found").textContent += JSON.stringify({
    name: frameElement.name, texts: texts.length, dark: matchMedia("(prefers-color-scheme: dark)").matches,
    problems: [...new Set(problems)],
  }) + "\n";
}));
