/* Players: a piano roll on a canvas, a clock, and a keyboard that lights up the sounding keys. */
const PAGE = JSON.parse(document.getElementById("pieces").textContent);
const LOOKAHEAD = 0.4; // seconds of notes that are scheduled in advance
const STEP = 2, LEAP = 10; // seconds that the arrow keys and the page keys seek by
const BLIND_VELOCITY = 64; // of all notes in blind listening, where dynamics would give models away

const sound = { context: null, board: null, meter: null };
const state = { playing: null, speed: 1, blind: false };

function startSound() {
  if (!sound.context) {
    sound.context = new AudioContext();
    sound.meter = sound.context.createAnalyser();
    sound.meter.fftSize = 8192;
    sound.meter.connect(sound.context.destination);
    sound.board = Piano.board(sound.context, sound.meter);
  }
  if (sound.context.state !== "running") sound.context.resume();
}

/* Conversion between frames and seconds, given the tempo changes of a piece. */
function timeLine(piece) {
  const spans = [];
  let time = 0;
  piece.tempos.forEach(([frame, tempo], i) => {
    const second = 60 / tempo / piece.grid, next = i + 1 < piece.tempos.length ? piece.tempos[i + 1][0] : Infinity;
    spans.push({ frame, time, second });
    time += (next - frame) * second;
  });
  const last = (name, value) => spans.findLast(span => span[name] <= value) || spans[0];
  return {
    seconds: frame => { const span = last("frame", frame); return span.time + (frame - span.frame) * span.second; },
    frame: seconds => { const span = last("time", seconds); return span.frame + (seconds - span.time) / span.second; },
  };
}

const formatTime = seconds => `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;

let palette = {};
function readPalette() {
  const style = getComputedStyle(document.documentElement);
  const names = ["ebony", "ivory", "faint", "tint", "note", "hot", "primer", "copied"];
  palette = Object.fromEntries(names.map(name => [name, style.getPropertyValue(`--${name}`).trim()]));
}

class Player {
  constructor(card, piece) {
    this.card = card;
    this.piece = piece;
    this.line = timeLine(piece);
    this.length = this.line.seconds(piece.frames);
    this.starts = piece.notes.map(note => this.line.seconds(note[0]));
    this.position = 0;
    this.roll = card.querySelector("canvas.roll");
    this.keys = card.querySelector("canvas.keys");
    this.scroll = card.querySelector(".scroll");
    this.button = card.querySelector("button.play");
    this.clock = card.querySelector(".clock");
    this.setName(piece.name);
    this.roll.setAttribute("aria-valuemax", this.length.toFixed(1));
    this.button.addEventListener("click", () => this.toggle());
    this.roll.addEventListener("pointerdown", event => this.seekToPointer(event));
    this.roll.addEventListener("pointermove", event => event.buttons & 1 && this.seekToPointer(event));
    this.roll.addEventListener("keydown", event => this.handleKey(event));
    this.isVisible = false;
    new IntersectionObserver((entries, observer) => {
      if (!entries.some(entry => entry.isIntersecting)) return;
      observer.disconnect();
      this.isVisible = true;
      this.draw();
    }).observe(card);
    this.updateClock();
  }

  /* Set the name for screen readers; in blind listening it is a letter. */
  setName(name) {
    this.name = name;
    this.card.setAttribute("aria-label", name);
    this.roll.setAttribute("aria-label", `Position in ${name}`);
    this.updateButton();
  }

  updateButton() {
    const isPlaying = this === state.playing;
    this.button.textContent = isPlaying ? "▮▮" : "▶";
    this.button.setAttribute("aria-label", `${isPlaying ? "Pause" : "Play"} ${this.name}`);
  }

  now() {
    if (this !== state.playing) return this.position;
    return Math.min(this.position + Math.max(sound.context.currentTime - this.startedAt, 0) * state.speed, this.length);
  }

  toggle() { this === state.playing ? this.pause() : this.play(); }

  play() {
    state.playing?.pause();
    startSound();
    if (this.position >= this.length) this.position = 0;
    state.playing = this;
    this.startedAt = sound.context.currentTime + 0.08;
    this.output = sound.context.createGain();
    this.output.connect(sound.board);
    this.next = this.starts.findIndex(start => start >= this.position - 0.001);
    if (this.next < 0) this.next = this.starts.length;
    this.timer = setInterval(() => this.scheduleNotes(), 60);
    this.scheduleNotes();
    this.updateButton();
    this.animate();
  }

  scheduleNotes() {
    const { notes } = this.piece, now = sound.context.currentTime;
    const when = second => this.startedAt + (second - this.position) / state.speed;
    for (; this.next < notes.length && when(this.starts[this.next]) < now + LOOKAHEAD; this.next++) {
      const [, end, key, velocity] = notes[this.next], start = this.starts[this.next];
      const length = (this.line.seconds(end) - start) / state.speed;
      Piano.note(sound.context, this.output, key, state.blind ? BLIND_VELOCITY : velocity, Math.max(now, when(start)), length);
    }
    if (this.now() >= this.length) { this.pause(); this.position = 0; this.draw(); }
  }

  pause() {
    if (this !== state.playing) return;
    this.position = this.now();
    state.playing = null;
    clearInterval(this.timer);
    const { output } = this;
    output.gain.setTargetAtTime(0, sound.context.currentTime, 0.03); // fade out; a hard stop would click
    setTimeout(() => output.disconnect(), 250);
    this.updateButton();
    this.draw();
  }

  seek(second) {
    const wasPlaying = this === state.playing;
    if (wasPlaying) this.pause();
    this.position = Math.max(0, Math.min(second, this.length));
    if (wasPlaying) this.play(); else this.draw();
  }

  seekToPointer(event) {
    const box = this.roll.getBoundingClientRect();
    this.seek(this.line.seconds((event.clientX - box.left) / box.width * this.piece.frames));
  }

  handleKey(event) {
    const moves = {
      ArrowRight: STEP, ArrowUp: STEP, ArrowLeft: -STEP, ArrowDown: -STEP,
      PageUp: LEAP, PageDown: -LEAP, Home: -Infinity, End: Infinity,
    };
    if (event.key === " " || event.key === "Enter") this.toggle();
    else if (event.key in moves) this.seek(this.now() + moves[event.key]);
    else return;
    event.preventDefault();
  }

  animate() {
    if (this !== state.playing) return;
    this.draw();
    this.scrollToPosition();
    requestAnimationFrame(() => this.animate());
  }

  /* Keep the current position in view when the roll is wider than its card. */
  scrollToPosition() {
    const x = this.now() / this.length * this.roll.clientWidth, { scrollLeft, clientWidth } = this.scroll;
    if (x < scrollLeft || x > scrollLeft + clientWidth) this.scroll.scrollLeft = x - clientWidth / 10;
  }

  updateClock() {
    const now = this.now();
    this.clock.textContent = `${formatTime(now)} / ${formatTime(this.length)}`;
    this.roll.setAttribute("aria-valuenow", now.toFixed(1));
    this.roll.setAttribute("aria-valuetext", `${formatTime(now)} of ${formatTime(this.length)}`);
  }

  draw() {
    this.updateClock();
    if (!this.isVisible) return;
    const frame = this.line.frame(this.now());
    this.drawRoll(frame);
    this.drawKeys(frame);
  }

  isLit(note, frame) {
    return (this === state.playing || this.position > 0) && note[0] <= frame && frame < note[1];
  }

  drawRoll(now) {
    const { piece } = this, [context, width, height] = clearCanvas(this.roll);
    const row = height / (PAGE.high - PAGE.low + 1), column = width / piece.frames;
    const y = key => height - (key - PAGE.low + 1) * row;
    const fill = (colour, x, top, w, h) => { context.fillStyle = colour; context.fillRect(x, top, w, h); };
    for (let key = PAGE.low; key <= PAGE.high; key++) {
      if (isBlack(key)) fill(palette.tint, 0, y(key), width, row);
      if (key % 12 === 0) fill(palette.faint, 0, y(key) + row - 0.5, width, 1);
    }
    fill(palette.primer, 0, 0, piece.primer * column, height);
    if (!state.blind) for (const [a, b] of piece.copied) fill(palette.copied, a * column, 0, (b - a) * column, height);
    for (const bar of piece.bars) fill(palette.faint, bar * column, 0, 1, height);
    for (const note of piece.notes) {
      const [start, end, key] = note, colour = this.isLit(note, now) ? palette.hot : palette.note;
      fill(colour, start * column + 0.3, y(key) + 0.4, Math.max(1.2, (end - start) * column - 0.8), Math.max(1.2, row - 0.8));
    }
    if (now > 0) fill(palette.hot, now * column, 0, 1.5, height);
  }

  drawKeys(now) {
    const [context, width, height] = clearCanvas(this.keys), row = height / (PAGE.high - PAGE.low + 1);
    const lit = new Set(this.piece.notes.filter(note => this.isLit(note, now)).map(note => note[2]));
    for (let key = PAGE.low; key <= PAGE.high; key++) {
      context.fillStyle = lit.has(key) ? palette.hot : isBlack(key) ? palette.ebony : palette.ivory;
      context.fillRect(0, height - (key - PAGE.low + 1) * row, width, row - 0.3);
    }
    this.card.dataset.lit = [...lit].sort((a, b) => a - b).join(" ");
  }
}

const isBlack = key => [1, 3, 6, 8, 10].includes(key % 12);

/* The cleared drawing context of a canvas, at the resolution of the screen, with its width and height. */
function clearCanvas(element) {
  const ratio = devicePixelRatio || 1, width = element.clientWidth, height = element.clientHeight;
  if (element.width !== Math.round(width * ratio) || element.height !== Math.round(height * ratio)) {
    element.width = Math.round(width * ratio);
    element.height = Math.round(height * ratio);
  }
  const context = element.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return [context, width, height];
}

readPalette();
const MAX_WIDTH = 8000; // pixels; browsers do not draw much wider canvases
const players = [...document.querySelectorAll(".piece")].map((card, i) => new Player(card, PAGE.pieces[i]));
for (const { roll, piece } of players) {
  roll.style.minWidth = `${Math.min(piece.frames * 4 / piece.grid, MAX_WIDTH)}px`; // at least one pixel per sixteenth note
}
const redraw = () => players.forEach(player => player.draw());
addEventListener("resize", redraw);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { readPalette(); redraw(); });
document.getElementById("speed")?.addEventListener("change", event => {
  const { playing } = state, now = playing?.now();
  playing?.pause();
  state.speed = Number(event.target.value);
  if (playing) { playing.position = now; playing.play(); }
});
