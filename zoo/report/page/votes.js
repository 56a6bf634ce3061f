/* Blind listening: names are hidden and pieces shuffled; votes stay in memory until they are saved to a file. */
const votes = new Map(); // index of a piece, and whether names were hidden -> its latest vote
const blind = document.getElementById("blind");
// Names the file, so that the files of several listeners can lie in one folder. A listener who opens the page again
// is the same one, if the browser keeps data of pages on disk.
const listener = (() => {
  const random = [...crypto.getRandomValues(new Uint8Array(4))].map(byte => byte.toString(16).padStart(2, "0")).join("");
  try {
    const known = localStorage.getItem("polyzoo listener");
    if (/^[0-9a-f]{8}$/.test(known)) return known;
    localStorage.setItem("polyzoo listener", random);
  } catch {} // data of pages is blocked
  return random;
})();
let unsaved = false;

const letter = i => (i < 26 ? "" : letter(Math.floor(i / 26) - 1)) + String.fromCharCode(65 + i % 26);

function shuffled(items) {
  const deck = [...items];
  for (let i = deck.length - 1; i > 0; i--) {
    const j = Math.floor(Math.random() * (i + 1));
    [deck[i], deck[j]] = [deck[j], deck[i]];
  }
  return deck;
}

const voteKey = player => `${players.indexOf(player)} ${state.blind}`;

function showVote(player) {
  const shown = votes.get(voteKey(player))?.rating;
  player.card.querySelectorAll("[data-rating]").forEach(button => {
    button.setAttribute("aria-pressed", String(Number(button.dataset.rating) === shown));
  });
}

function setBlind(on) {
  state.playing?.pause();
  state.blind = on;
  document.body.classList.toggle("blind", on);
  let number = 0;
  document.querySelectorAll(".pieces").forEach(group => {
    const members = players.filter(player => player.card.parentElement === group);
    (on ? shuffled(members) : members).forEach(player => {
      const alias = `Piece ${letter(number++)}`;
      group.append(player.card);
      player.card.querySelector(".alias").textContent = alias;
      player.setName(on ? alias : player.piece.name);
      player.position = 0;
      showVote(player);
      player.draw();
    });
  });
  showCount();
}

function vote(player, rating) {
  const { name, model, group } = player.piece, piece = players.indexOf(player);
  votes.set(voteKey(player), { piece, group, name, model, rating, blind: state.blind, at: new Date().toISOString() });
  unsaved = true;
  showVote(player);
  showCount();
}

function showCount() {
  const rated = [...votes.values()].filter(vote => vote.blind === state.blind).length;
  document.getElementById("count").textContent = rated ? `${rated} of ${players.length} rated` : "no ratings yet";
}

function saveVotes() {
  const content = { format: 1, page: PAGE.id, listener, models: PAGE.models, votes: [...votes.values()] };
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([JSON.stringify(content, null, 1)], { type: "application/json" }));
  link.download = `votes-${PAGE.id}-${listener}.json`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  unsaved = false;
}

if (blind) {
  blind.addEventListener("change", () => setBlind(blind.checked));
  players.forEach(player => player.card.querySelectorAll("[data-rating]").forEach(button => {
    button.addEventListener("click", () => vote(player, Number(button.dataset.rating)));
  }));
  document.getElementById("save").addEventListener("click", saveVotes);
  addEventListener("beforeunload", event => { if (unsaved) event.preventDefault(); });
}
