// What the page asks of its server.

let mostBytes = Infinity;

/** Return what can fill a hole: `methods`, and the `problems` of runs that are left out. */
export async function askMethods() {
  const found = await (await ask("methods")).json();
  ({ mostBytes } = found);
  return found;
}

/** Return the PNG that every method gets for an image file. */
export async function askPicture(file) {
  return (await post("picture", file)).blob();
}

/** Return the picture, an image file, filled by a method as PNG, and the seconds that it took. */
export async function askFilling(method, picture, mask) {
  const query = new URLSearchParams({ method, mask: mask.size });
  const response = await post(`fill?${query}`, new Blob([mask, picture]));
  const [, milliseconds] = response.headers.get("Server-Timing").match(/dur=([\d.]+)/);
  return { filled: await response.blob(), seconds: milliseconds / 1000 };
}

function post(path, body) {
  if (body.size > mostBytes) {
    throw new Error(`This is larger than ${mostBytes / 1e6} MB; use a smaller file.`);
  }
  return ask(path, { method: "POST", body });
}

/** Return the response; the line of an error is thrown as it stands. */
async function ask(path, options) {
  let response;
  try {
    response = await fetch(path, options);
  } catch {
    throw new Error("No answer; does `python -m bench paint` still run?");
  }
  if (!response.ok) throw new Error((await response.json()).error);
  return response;
}
