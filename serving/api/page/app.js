// The upload page: sign in, send a film, show the answer and where it comes from. Nothing is kept after a reload.

const byId = (id) => document.getElementById(id);
const show = (element, visible = true) => { element.hidden = !visible; };
const ASK_AGAIN_MS = 1000;
const ASK_AT_MOST = 60;

let about = null;
let authorization = "";

class Problem extends Error {
  constructor(problem) {
    super(problem.detail);
    this.problem = problem;
  }
}

async function ask(path, options = {}) {
  const headers = { Authorization: authorization, "X-Requested-With": "fiducial-page", ...options.headers };
  let response;
  try {
    response = await fetch(path, { ...options, headers, credentials: "omit" });
  } catch {
    throw new Problem({ detail: "The platform does not answer.", next_step: "Is it running?" });
  }
  if (response.ok) return response;
  const told = (response.headers.get("Content-Type") || "").includes("json") ? await response.json() : {};
  throw new Problem({ detail: `HTTP ${response.status}`, status: response.status, ...told });
}

function showProblem(element, error) {
  const problem = error instanceof Problem ? error.problem : { detail: `The page failed: ${error}` };
  element.replaceChildren();
  line(element, "strong", problem.detail);
  if (problem.next_step) line(element, "p", problem.next_step);
  for (const wrong of problem.errors || []) line(element, "p", `${wrong.field}: ${wrong.rule}`);
  if (problem.code) line(element, "code", problem.code);
  show(element);
}

function line(parent, tag, text, className = "") {
  const element = document.createElement(tag);
  element.textContent = text;
  if (className) element.className = className;
  parent.append(element);
  return element;
}

async function signIn(event) {
  event.preventDefault();
  const name = byId("name").value;
  const password = byId("password").value;
  show(byId("sign-in-problem"), false);
  try {
    authorization = about.authentication === "basic" ? basic(name, password) : await bearer(name, password);
    const me = await (await ask("/api/v1/me")).json();
    byId("who").textContent = me.name;
    byId("password").value = "";
    signedIn(true);
  } catch (error) {
    showProblem(byId("sign-in-problem"), error);
  }
}

function basic(name, password) {
  const bytes = new TextEncoder().encode(`${name}:${password}`);
  return `Basic ${btoa(String.fromCharCode(...bytes))}`;
}

async function bearer(name, password) {
  const body = new URLSearchParams({ username: name, password });
  return `Bearer ${(await (await ask("/api/v1/token", { method: "POST", body })).json()).access_token}`;
}

function signedIn(yes) {
  show(byId("sign-in"), !yes);
  show(byId("work"), yes);
  show(byId("who"), yes);
  show(byId("sign-out"), yes);
  if (!yes) {
    authorization = "";
    byId("answers").replaceChildren();
    byId("upload").reset();
    nameChosen();
  }
}

function nameChosen() {
  const names = [...byId("files").files].map((file) => file.name);
  byId("chosen").textContent = names.length ? names.join(", ") : "Choose or drop a film";
}

function progress(step) {
  const steps = [...byId("progress").children];
  const reached = steps.findIndex((item) => item.dataset.step === step);
  steps.forEach((item, index) => {
    item.classList.toggle("done", index < reached || step === "answered");
    item.classList.toggle("now", index === reached && step !== "answered");
  });
  show(byId("empty"), false);
  show(byId("progress"));
}

async function send(event) {
  event.preventDefault();
  const form = new FormData(byId("upload"));
  for (const [name, value] of [...form]) if (value === "") form.delete(name);
  byId("send").disabled = true;
  byId("answers").replaceChildren();
  show(byId("problem"), false);
  progress("sending");
  byId("outcome").scrollIntoView({ behavior: "smooth", block: "nearest" });
  try {
    const response = await ask("/api/v1/studies", { method: "POST", body: form });
    progress("stored");
    const study = await answered(await response.json());
    progress("answered");
    for (const prediction of study.predictions) await showPrediction(prediction);
    byId("answers").scrollIntoView({ behavior: "smooth", block: "nearest" });
  } catch (error) {
    show(byId("progress"), false);
    showProblem(byId("problem"), error);
    byId("problem").scrollIntoView({ behavior: "smooth", block: "nearest" });
    if (error instanceof Problem && error.problem.status === 401) signedIn(false);
  } finally {
    byId("send").disabled = false;
  }
}

async function answered(study) {
  for (let asked = 0; asked < ASK_AT_MOST; asked += 1) {
    if (!study.predictions.some((prediction) => prediction.state === "pending")) return study;
    await new Promise((resolve) => { setTimeout(resolve, asked ? ASK_AGAIN_MS : 150); });
    study = await (await ask(`/api/v1/studies/${study.study_id}`)).json();
  }
  throw new Problem({
    detail: "The study is stored; its answer takes longer than usual.",
    next_step: `Read it later: /api/v1/studies/${study.study_id}`,
  });
}

async function showPrediction(prediction) {
  const card = byId("answer-template").content.firstElementChild.cloneNode(true);
  const at = (selector) => card.querySelector(selector);
  at(".identifiers").textContent = `${prediction.study_id} · ${prediction.prediction_id}`;
  byId("answers").append(card);
  if (prediction.state === "done") await showAnswer(card, at, prediction);
  else if (prediction.state === "abstained") await showAbstention(card, at, prediction);
  else showNoAnswer(at, prediction);
}

async function showAbstention(card, at, prediction) {
  card.classList.add("abstained");
  show(at(".demo-banner"), prediction.demo);
  at("h2").textContent = `${prediction.finding.meaning}: no answer`;
  at(".version").textContent = prediction.model_version;
  at(".statement").textContent = "This model version abstains. The study is stored; it must be read without the model:";
  showReasons(at, prediction.reasons);
  show(at(".advice"));
  at(".trace summary").textContent = "Who abstained, and on what evidence?";
  await showTrace(at, prediction);
}

function showReasons(at, reasons) {
  for (const reason of reasons) line(at(".reasons"), "li", reason);
  show(at(".reasons"), reasons.length > 0);
}

function showNoAnswer(at, prediction) {
  const refused = prediction.state === "refused";
  at("h2").textContent = refused ? "Not predicted" : "No answer";
  at(".version").textContent = prediction.task;
  at(".statement").textContent = refused
    ? "The study is stored, but lies outside what the model version may be used for:"
    : prediction.code === "task-switched-off"
      ? "The study is stored, but the model is switched off at this site. Send the study again when it is on."
      : `The study is stored, but no answer came after ${prediction.attempts} attempts (${prediction.code}).`;
  showReasons(at, (prediction.reasons || []).map((reason) => reason.replaceAll("_", " ")));
}

async function showAnswer(card, at, prediction) {
  const present = prediction.decision === "finding present";
  card.classList.add(present ? "present" : "absent");
  show(at(".demo-banner"), prediction.demo);
  at("h2").textContent = `${prediction.finding.meaning}: ${present ? "present" : "absent"}`;
  at(".version").textContent = prediction.model_version;
  at(".statement").textContent = `${prediction.provenance.title}. ${prediction.provenance.intended_use}`;
  at(".probability").textContent = prediction.probability.toFixed(3);
  at(".threshold").textContent = prediction.threshold.toFixed(3);
  at(".role").textContent = prediction.fell_back ? `${prediction.role} (in place of a version that is out)` : prediction.role;
  at(".fill").style.width = `${prediction.probability * 100}%`;
  at(".mark").style.left = `${prediction.threshold * 100}%`;
  show(at(".scale"));
  showPossible(at, prediction);
  showPerformance(at, prediction.provenance.performance);
  await Promise.all([showPictures(at, prediction), showTrace(at, prediction)]);
}

function showPossible(at, prediction) {
  const possible = prediction.prediction_set;
  if (!possible) return;
  const percent = `${Math.round(prediction.coverage * 1000) / 10} %`;
  at(".possible dd").textContent = {
    0: `neither: the film fits neither kind at ${percent}`,
    1: `${possible[0]} only, at ${percent}`,
    2: `present or absent: the model cannot tell at ${percent}`,
  }[possible.length];
  const holds = `On films like those it was tuned on, the truth is among these in at least ${percent} of cases, with `
    + "the finding and without.";
  const rare = possible.length ? "" : " A film that fits neither is rare: be wary of the call.";
  const called = prediction.decision === "finding present" ? "present" : "absent";
  const differs = possible.length === 1 && possible[0] !== called
    ? ` The call is “${called}” all the same: it follows the threshold, which was set to miss few findings.` : "";
  at(".possible .hint").textContent = holds + rare + differs;
  show(at(".possible"));
}

async function showPictures(at, prediction) {
  if (!prediction.heatmap) return;
  const [heatmap, film] = await Promise.all([picture(prediction.heatmap), picture(prediction.film)]);
  const image = at("figure img");
  const box = at(".switch input");
  const choose = () => { image.src = box.checked ? heatmap : film; };
  box.addEventListener("change", choose);
  choose();
  show(at("figure"));
}

async function picture(path) {
  return URL.createObjectURL(await (await ask(path)).blob());
}

function showPerformance(at, values) {
  const whole = values.filter((value) => value.subgroup === "all");
  for (const value of whole) {
    const row = line(at(".performance tbody"), "tr", "");
    const [low, high] = value.interval;
    const on = `${value.split === "test" ? "test set" : value.split} of ${value.dataset_version}`;
    for (const text of [value.name, value.value.toFixed(3), `${low.toFixed(3)}–${high.toFixed(3)}`, value.n, on]) {
      line(row, "td", text);
    }
  }
  show(at(".performance"), whole.length > 0);
}

const KINDS = {
  prediction: "This prediction", image: "Image", model_version: "Model version", model: "Model that serves",
  weights: "Trained weights", report: "Validation report", run: "Training run", dataset_version: "Dataset version",
  shard: "Dataset shard", commit: "Source code",
};

async function showTrace(at, prediction) {
  const trace = await (await ask(prediction.trace)).json();
  for (const link of trace.links) {
    const item = line(at(".trace ol"), "li", "", link.status);
    const what = line(item, "div", "", "what");
    line(what, "strong", KINDS[link.kind] || link.kind);
    line(what, "span", link.name === link.digest ? "" : link.name, "digest");
    line(what, "span", link.status, "status");
    if (link.digest) line(item, "div", link.digest, "digest");
  }
  const approved = line(at(".trace ol"), "li", "");
  line(approved, "strong", `Approved by ${trace.approver}`);
  show(at(".trace"));
}

async function begin() {
  byId("sign-in").addEventListener("submit", signIn);
  byId("sign-out").addEventListener("click", () => signedIn(false));
  byId("upload").addEventListener("submit", send);
  byId("files").addEventListener("change", nameChosen);
  for (const name of ["dragenter", "dragover"]) byId("drop").addEventListener(name, () => byId("drop").classList.add("over"));
  for (const name of ["dragleave", "drop"]) byId("drop").addEventListener(name, () => byId("drop").classList.remove("over"));
  try {
    about = await (await ask("/api/v1/about")).json();
    byId("level").textContent = about.level;
    show(byId("level"));
  } catch (error) {
    showProblem(byId("sign-in-problem"), error);
  }
}

begin();
