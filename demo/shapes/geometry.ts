import { defaultSize, sheet, type Kind, type Point, type Shape } from "../board.ts";

export interface Size {
  width: number;
  height: number;
}

/** The box of a shape, in sheet units, around its centre. */
export function sizeOf(shape: Pick<Shape, "kind" | "size">): Size {
  const width = shape.size ?? defaultSize;
  return { width, height: width * heights[shape.kind] };
}

const heights: Record<Kind, number> = { circle: 1, square: 1, triangle: 0.9, note: 0.68 };

/** The outline of a shape around 0,0 as an SVG path; `grow` widens it on every side. */
export function outlineOf(shape: Pick<Shape, "kind" | "size">, grow = 0): string {
  const size = sizeOf(shape);
  const right = size.width / 2 + grow;
  const bottom = size.height / 2 + grow;
  switch (shape.kind) {
    case "circle":
      return `M${-right} 0A${right} ${right} 0 1 1 ${right} 0A${right} ${right} 0 1 1 ${-right} 0Z`;
    case "square":
      return `M${-right} ${-bottom}H${right}V${bottom}H${-right}Z`;
    case "triangle": {
      // An even margin moves the corners of a triangle further out than its sides.
      const { width, height } = size;
      const top = -height / 2 - (grow * Math.hypot(width / 2, height)) / (width / 2);
      const corner = ((bottom - top) * width) / (2 * height);
      return `M0 ${round(top)}L${round(corner)} ${bottom}H${round(-corner)}Z`;
    }
    case "note": {
      const fold = size.height * 0.24;
      return `M${-right} ${-bottom}H${right}V${bottom - fold}L${right - fold} ${bottom}H${-right}Z`;
    }
    default:
      return shape.kind satisfies never;
  }
}

function round(units: number): number {
  return Math.round(units * 100) / 100;
}

/** Nearest point at which a centre may lie, in whole units: a shape never leaves the sheet altogether. */
export function clampToSheet(point: Point): Point {
  return {
    x: Math.round(Math.min(sheet.width, Math.max(0, point.x))),
    y: Math.round(Math.min(sheet.height, Math.max(0, point.y))),
  };
}

/** Where a pointer is, in sheet units; outside of the sheet the numbers go on. */
export function sheetPoint(element: Element, pointer: { clientX: number; clientY: number }): Point {
  const box = element.getBoundingClientRect();
  return {
    x: ((pointer.clientX - box.left) / box.width) * sheet.width,
    y: ((pointer.clientY - box.top) / box.height) * sheet.height,
  };
}

/** The middle of what can be seen of the sheet through `viewport`, and how wide that is: on a phone it is only a part. */
export function visibleArea(sheetElement: Element, viewport: Element): { center: Point; width: number } {
  const seen = viewport.getBoundingClientRect();
  const whole = sheetElement.getBoundingClientRect();
  const left = Math.max(seen.left, whole.left);
  const right = Math.min(seen.right, whole.right);
  const top = Math.max(seen.top, whole.top);
  const bottom = Math.min(seen.bottom, whole.bottom);
  const center = sheetPoint(sheetElement, { clientX: (left + right) / 2, clientY: (top + bottom) / 2 });
  return { center, width: ((right - left) / whole.width) * sheet.width };
}

/** A place for the `index`-th new shape: like the seeds of a sunflower they stay apart, until the area is full. */
export function sunflowerPoint({ center, width }: { center: Point; width: number }, index: number): Point {
  const goldenAngle = 2.399963;
  const gap = 74;
  const capacity = Math.max(1, Math.floor(((width * 0.4) / gap) ** 2));
  const distance = gap * Math.sqrt(index % capacity);
  return clampToSheet({
    x: center.x + distance * Math.cos(index * goldenAngle),
    y: center.y + distance * 0.8 * Math.sin(index * goldenAngle),
  });
}
