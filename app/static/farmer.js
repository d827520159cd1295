// The page of one step works without this. Here: a smaller photo without its position, and choices that follow each other.
(() => {
  const EDGE = 1600;
  const form = document.querySelector("form[data-farmer]");
  if (!form) return;

  // Drawn anew, a photo loses its metadata, and weighs what a slow network can carry.
  const shrink = async (file) => {
    const image = await createImageBitmap(file, { imageOrientation: "from-image" });
    const scale = Math.min(1, EDGE / Math.max(image.width, image.height));
    const canvas = document.createElement("canvas");
    canvas.width = Math.round(image.width * scale);
    canvas.height = Math.round(image.height * scale);
    canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
    image.close();
    const blob = await new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.8));
    return new File([blob], "anh.jpg", { type: "image/jpeg" });
  };

  const snap = form.querySelector("[data-photo]");
  const input = snap.querySelector("input");
  const shown = snap.querySelector("img");
  const words = snap.querySelector("[data-again]");
  let working = null;
  input.addEventListener("change", () => {
    const file = input.files[0];
    if (!file) return;
    working = shrink(file)
      .then((small) => {
        const list = new DataTransfer();
        list.items.add(small);
        input.files = list.files;
        return small;
      })
      .catch(() => file) // the server says what is wrong with it
      .then((kept) => {
        if (shown.src) URL.revokeObjectURL(shown.src);
        shown.src = URL.createObjectURL(kept);
        shown.hidden = false;
        words.textContent = words.dataset.again;
        working = null;
      });
  });
  form.addEventListener("submit", (e) => {
    if (!working) return;
    e.preventDefault();
    working.then(() => form.requestSubmit());
  });

  // A material chosen brings the waiting days last written for it.
  const days = form.querySelector("[data-days-for]");
  if (days)
    form.addEventListener("change", (e) => {
      if (e.target.name !== days.dataset.daysFor) return;
      const wanted = e.target.dataset.days ?? "";
      const found = [...days.querySelectorAll("input")].find((i) => i.value === wanted);
      if (found) found.checked = true;
    });
  // Whatever was chosen by hand is meant so: the server need not guess for which material the days were shown.
  form.addEventListener("change", (e) => {
    const shownFor = form.elements.days_for;
    if (shownFor && ["material", "pre_harvest_days"].includes(e.target.name)) shownFor.value = "";
  });

  // A page that was sent and comes back by the browser's Back is asked for anew: it must not stand there ready to be sent.
  let sent = false;
  form.addEventListener("submit", () => (sent = true));
  addEventListener("pageshow", (e) => e.persisted && sent && location.reload());

  // A number tapped twice is taken back: nothing known is better than something wrong.
  let was = null;
  form.addEventListener("pointerdown", (e) => {
    const radio = e.target.closest?.(".measure .pic")?.querySelector("input");
    was = radio?.checked ? radio : null;
  });
  form.addEventListener("click", (e) => {
    if (was && e.target === was) was.checked = false;
  });

  // "Other" puts the finger into its field.
  form.addEventListener("change", (e) => {
    const opens = e.target.dataset?.opens;
    if (opens && e.target.checked) document.getElementById(opens)?.focus();
  });

  // Who did it: the phone remembers, since one phone serves a household.
  const doers = [...form.querySelectorAll("input[type=radio][name=performed_by]")];
  const key = `hoi-nguoi-lam-${form.dataset.house}`;
  try {
    const last = doers.find((d) => d.value === localStorage.getItem(key));
    if (last && form.dataset.fresh) last.checked = true;
    form.addEventListener("change", (e) => doers.includes(e.target) && localStorage.setItem(key, e.target.value));
  } catch {}
})();
