// What the tests share.

export const tests = [];

// A test gets a page, a sandbox of its own, and the address of a server elsewhere that nobody may ask for anything.
export function test(name, options, run = options) {
  tests.push({ name, options: typeof options === "function" ? {} : options, run });
}

// Opens the page and waits until it is up to date.
export async function open(page, sandbox) {
  await page.goto(sandbox.url);
  await page.locator("#live.on").waitFor();
}

// The frame of the message that is shown.
export async function message(page) {
  const frame = page.frameLocator(".bubble iframe");
  await frame.locator("body").waitFor({ state: "attached" });
  await page.waitForFunction(() => document.querySelector(".bubble iframe").style.height !== "");
  return frame;
}

// Keeps a picture, where one is wanted.
export async function picture(page, name) {
  if (process.env.UE_PICTURES) await page.screenshot({ path: `${process.env.UE_PICTURES}/${name}.png` });
}

// How two colours of CSS contrast, as WCAG counts it.
export function contrast(one, other) {
  const light = (colour) => {
    const [red, green, blue] = colour.match(/[\d.]+/g).map((part) => {
      const share = Number(part) / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const [dark, bright] = [light(one), light(other)].sort((a, b) => a - b);
  return (bright + 0.05) / (dark + 0.05);
}
