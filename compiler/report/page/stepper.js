// A lesson in steps: forwards and back by buttons, keys or a slider, or by itself.

const stepsPerSecond = 3;

/// Buttons and a slider. show(step) is called when the step changes. The keys work where `stage`, an
/// element that can have the focus, or something in it has it.
class Stepper {
  constructor(show) {
    this.show = show;
    this.step = 0;
    this.count = 1;
    this.timer = null;
    const button = (label, sign, action) =>
      element("button", {type: "button", "aria-label": label, title: label, onclick: action}, sign);
    this.playButton = button("Play (space)", "▶ Play", () => this.toggle());
    this.slider = element("input", {type: "range", min: 0, value: 0, "aria-label": "Step",
      oninput: () => this.choose(Number(this.slider.value))});
    this.counter = element("output");
    this.element = element("div", {class: "stepper"},
      button("First step (Home)", "⇤", () => this.choose(0)),
      button("Step back (left arrow)", "←", () => this.choose(this.step - 1)),
      button("Next step (right arrow)", "→", () => this.choose(this.step + 1)),
      button("Last step (End)", "⇥", () => this.choose(this.count - 1)),
      this.playButton, this.slider, this.counter);
  }

  /// Starts at the first of so many steps. `jump` is how far up and down go.
  begin(count, jump) {
    this.stop();
    this.count = count;
    this.jump = jump;
    this.slider.max = count - 1;
    this.step = 0;
    this.update();
  }

  choose(step) {
    this.stop();
    this.go(step);
  }

  go(step) {
    this.step = Math.max(0, Math.min(this.count - 1, step));
    this.update();
  }

  update() {
    this.slider.value = this.step;
    this.counter.textContent = `Step ${formatExact(this.step + 1)} of ${formatExact(this.count)}`;
    this.show(this.step);
  }

  toggle() {
    if (this.timer !== null)
      return this.stop();
    if (this.step === this.count - 1)
      this.go(0);
    this.playButton.textContent = "❚❚ Pause";
    this.told?.setAttribute("aria-live", "off"); // nobody can listen that fast
    this.timer = setInterval(() => {
      this.go(this.step + 1);
      if (this.step === this.count - 1)
        this.stop();
    }, 1000 / stepsPerSecond);
  }

  stop() {
    clearInterval(this.timer);
    this.timer = null;
    this.playButton.textContent = "▶ Play";
    this.told?.setAttribute("aria-live", "polite");
  }

  /// Takes keys of an element; `told` is where it says in words what is shown.
  listen(stage, told) {
    this.told = told;
    stage.addEventListener("keydown", event => {
      const isOwnKey = event.target.matches("input, select") ||
        (event.key === " " && event.target.matches("button"));
      const next = {ArrowLeft: this.step - 1, ArrowRight: this.step + 1, Home: 0,
        End: this.count - 1, ArrowUp: this.step - this.jump, ArrowDown: this.step + this.jump};
      if (isOwnKey || event.ctrlKey || event.altKey || event.metaKey ||
        !(event.key in next || event.key === " "))
        return;
      event.preventDefault();
      if (event.key === " ")
        this.toggle();
      else
        this.choose(next[event.key]);
    });
  }
}
