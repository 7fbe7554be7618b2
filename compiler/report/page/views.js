// The views of the page as tabs, each with an address: #kernels/conv1 is the kernel conv1 in the
// view "kernels". A view is rendered when it is first shown.

const views = [];

/// A view: {id, title, section, render(panel, data)}. `data` is the section of that name, or else of
/// the id; a view without data is left out. render() may return a function that is
/// called with the rest of the address, a list of names, each time that the view is shown.
function addView(view) {
  views.push(view);
}

/// The address of something in a view, for links: address("kernels", "conv1").
const address = (...names) => "#" + names.map(encodeURIComponent).join("/");

function namesInAddress() {
  try {
    return location.hash.slice(1).split("/").map(decodeURIComponent);
  } catch {
    return []; // written by hand, and wrong
  }
}

function showView(view, names) {
  for (const other of views) {
    const chosen = other === view;
    other.tab.setAttribute("aria-selected", String(chosen));
    other.tab.tabIndex = chosen ? 0 : -1;
    other.panel.hidden = !chosen;
  }
  if (!view.rendered) {
    view.rendered = true;
    view.go = view.render(view.panel, readSection(view.section ?? view.id));
  }
  view.go?.(names);
}

function followAddress() {
  const [id, ...names] = namesInAddress();
  showView(views.find(view => view.id === id) ?? views[0], names);
}

/// Left and right go to the neighbours, Home and End to the ends, as tabs do everywhere.
function moveBetweenTabs(event) {
  const now = views.findIndex(view => view.tab === event.target);
  const next = {ArrowLeft: now - 1, ArrowRight: now + 1, Home: 0, End: -1}[event.key];
  if (now < 0 || next === undefined)
    return;
  event.preventDefault();
  const view = views.at(next % views.length);
  location.hash = address(view.id);
  view.tab.focus();
}

function makeTab(view) {
  view.tab = element("button", {type: "button", role: "tab", id: `tab-${view.id}`,
    "aria-controls": `panel-${view.id}`, onclick: () => { location.hash = address(view.id); }},
    view.title);
  view.panel = element("section", {role: "tabpanel", id: `panel-${view.id}`,
    "aria-labelledby": `tab-${view.id}`, hidden: true});
}

/// Light, dark, or what the system says.
function makeThemeSwitch(button) {
  const themes = [["light dark", "◐", "as the system"], ["light", "☀", "light"], ["dark", "☾", "dark"]];
  let now = 0;
  const show = () => {
    const [scheme, sign, name] = themes[now];
    document.documentElement.style.colorScheme = scheme;
    button.textContent = sign;
    button.title = `Colours: ${name}`;
    button.setAttribute("aria-label", `Colours: ${name}. Change`);
  };
  button.addEventListener("click", () => {
    now = (now + 1) % themes.length;
    show();
  });
  show();
}

function startPage() {
  const model = readSection("model");
  document.getElementById("model-name").textContent = model.name;
  document.getElementById("model-facts").textContent = model.facts.join(" · ");
  document.getElementById("footer").textContent = model.made;
  makeThemeSwitch(document.getElementById("theme"));
  const shown = views.filter(view => document.getElementById(`data-${view.section ?? view.id}`));
  views.splice(0, views.length, ...shown);
  views.forEach(makeTab);
  const tabs = document.getElementById("tabs");
  tabs.append(...views.map(view => view.tab));
  tabs.addEventListener("keydown", moveBetweenTabs);
  document.getElementById("panels").replaceChildren(...views.map(view => view.panel));
  addEventListener("hashchange", followAddress);
  followAddress();
}
