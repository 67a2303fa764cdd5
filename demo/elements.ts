const svgNamespace = "http://www.w3.org/2000/svg";

/** A part of index.html, by its `data-testid`; throws when the page has none of that type. */
export function part<E extends Element>(name: string, type: new () => E): E {
  const found = document.querySelector(`[data-testid="${name}"]`);
  if (found instanceof type) return found;
  throw new Error(`index.html has no ${type.name} with data-testid="${name}"`);
}

/** The one inside `root` that matches; throws when there is none of that type. */
export function within<E extends Element>(root: ParentNode, selector: string, type: new () => E): E {
  const found = root.querySelector(selector);
  if (found instanceof type) return found;
  throw new Error(`no ${type.name} matches ${selector}`);
}

export function html<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  className: string,
  text?: string,
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
}

export function svg<K extends keyof SVGElementTagNameMap>(
  tag: K,
  attributes: Record<string, string | number>,
): SVGElementTagNameMap[K] {
  const element = document.createElementNS(svgNamespace, tag);
  setAttributes(element, attributes);
  return element;
}

export function setAttributes(element: Element, attributes: Record<string, string | number>): void {
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
}
