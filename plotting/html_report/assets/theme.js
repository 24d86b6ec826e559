// The theme: the system's, until the person says otherwise. A "theme" event follows each change.

const system = matchMedia("(prefers-color-scheme: dark)");
const isDark = () => (document.documentElement.dataset.theme ?? (system.matches ? "dark" : "light")) === "dark";

function showTheme() {
  byId("theme").setAttribute("aria-pressed", String(isDark()));
  document.dispatchEvent(new Event("theme"));
}

function chooseTheme(theme) {
  document.documentElement.dataset.theme = theme;
  showTheme();
}

byId("theme").addEventListener("click", () => {
  chooseTheme(isDark() ? "light" : "dark");
  try {
    localStorage.setItem("theme", document.documentElement.dataset.theme);
  } catch { /* a browser that keeps nothing for files */ }
});
system.addEventListener("change", showTheme);
try {
  const kept = localStorage.getItem("theme");
  if (kept) chooseTheme(kept);
} catch { /* the same */ }
showTheme();
