import { parse, View } from "vega";
import { compile, type TopLevelSpec } from "vega-lite";
import type { SystemName } from "../systems/index.ts";
import { titles } from "./table.ts";

/** deltaroom stands out; the others can be told apart, also by who does not see all colours. */
const colors: { readonly [name in SystemName]: string } = {
  deltaroom: "#d9480f",
  "deltaroom-50ms": "#f08c00",
  "deltaroom-0ms": "#862e9c",
  naive: "#868e96",
  tldraw: "#1971c2",
  "y-partyserver": "#2f9e44",
  hocuspocus: "#0c8599",
  colyseus: "#5f3dc4",
};

const names = Object.keys(titles) as SystemName[];

/** Each system has its colour in every chart; a first and a next join are both deltaroom's. */
const seriesColor = {
  domain: [...names.map((name) => titles[name]), "first", "next"],
  range: [...names.map((name) => colors[name]), colors.deltaroom, colors["deltaroom-50ms"]],
};

const ink = "#343a40";
const config = {
  background: "#ffffff",
  padding: 16,
  font: "Helvetica, Arial, sans-serif",
  title: {
    fontSize: 14,
    anchor: "start",
    color: ink,
    subtitleColor: "#868e96",
    subtitleFontSize: 12,
    offset: 12,
  },
  axis: {
    labelFontSize: 11,
    titleFontSize: 11,
    titleFontWeight: "normal",
    titleColor: "#868e96",
    labelColor: ink,
    gridColor: "#e9ecef",
    domainColor: "#ced4da",
    tickColor: "#ced4da",
    labelLimit: 200,
  },
  view: { stroke: null },
  text: { fontSize: 11, color: ink },
  legend: { labelFontSize: 11, titleFontSize: 11, labelColor: ink },
} as const;

const maxLineLength = 40;
/** Height of a name at the end of a line. */
const labelPixels = 13;

/** A point of a chart, by the names of its fields. */
export type Point = { readonly [field: string]: string | number };

/** A part of a chart, as vega-lite describes it. */
export type Panel = { readonly [member: string]: unknown };

export interface BarPanel {
  readonly title: string;
  readonly subtitle: string;
  /** `system`, `value` and `label`. */
  readonly points: readonly Point[];
  /** Where one is a hundred times another. */
  readonly isLogarithmic?: boolean;
}

/** One bar a system, with its number behind it. */
export function bars({ title, subtitle, points, isLogarithmic = false }: BarPanel): Panel {
  const values = points.map(({ value }) => Number(value));
  // A logarithmic bar has to begin somewhere: the shortest is seen.
  const base = Math.min(...values) / 3;
  const scale = isLogarithmic
    ? { type: "log", domain: [base, Math.max(...values)], nice: false }
    : { type: "linear", zero: true };
  const order = seriesColor.domain;
  return {
    title: { text: title, subtitle: wrap(isLogarithmic ? `${subtitle} (logarithmic)` : subtitle) },
    width: 220,
    height: { step: 24 },
    data: { values: points },
    encoding: {
      y: {
        field: "system",
        type: "nominal",
        sort: order,
        axis: { title: null, ticks: false, domain: false },
      },
    },
    layer: [
      {
        mark: { type: "bar", height: 15 },
        encoding: {
          x: { field: "value", type: "quantitative", axis: null, scale },
          ...(isLogarithmic && { x2: { datum: base } }),
          color: { field: "system", type: "nominal", scale: seriesColor, legend: null },
        },
      },
      {
        mark: { type: "text", align: "left", dx: 4 },
        encoding: {
          x: { field: "value", type: "quantitative", scale },
          text: { field: "label", type: "nominal" },
        },
      },
    ],
  };
}

export interface LinePanel {
  readonly title: string;
  readonly subtitle: string;
  readonly xTitle: string;
  readonly yTitle: string;
  readonly width?: number;
  readonly height?: number;
  /** `series`, `x` and `y`. */
  readonly points: readonly Point[];
}

/** Lines over logarithmic axes, each named at its end. */
export function lines(panel: LinePanel): Panel {
  const { title, subtitle, xTitle, yTitle, width = 260, height = 180, points } = panel;
  const lowest = Math.min(...points.map(({ y }) => Number(y)));
  const highest = Math.max(...points.map(({ y }) => Number(y)));
  // A line that does not rise should look like it: at least two decades are shown.
  const middle = Math.sqrt(lowest * highest);
  const domain = [Math.min(lowest / 1.5, middle / 10), Math.max(highest * 1.5, middle * 10)];
  const color = { field: "series", type: "nominal", scale: seriesColor, legend: null };
  const x = {
    field: "x",
    type: "quantitative",
    scale: { type: "log", nice: false },
    axis: {
      title: xTitle,
      values: [...new Set(points.map((point) => Number(point["x"])))],
      format: "~s",
      labelOverlap: false,
      grid: false,
    },
  };
  const y = {
    field: "y",
    type: "quantitative",
    scale: { type: "log", domain, nice: false },
    axis: { title: yTitle, format: ",~r", values: powersOfTen(domain) },
  };
  return {
    title: { text: title, subtitle: wrap(subtitle) },
    width,
    height,
    data: { values: points },
    layer: [
      {
        mark: { type: "line", point: { size: 40, filled: true }, strokeWidth: 2 },
        encoding: { x, y, color },
      },
      {
        data: { values: placeLabels(points, domain, height) },
        mark: { type: "text", align: "left", dx: 8, fontWeight: "bold" },
        encoding: { x, y, color, text: { field: "series", type: "nominal" } },
      },
    ],
  };
}

function powersOfTen([low = 1, high = 1]: readonly number[]): number[] {
  const [first, last] = [Math.ceil(Math.log10(low)), Math.floor(Math.log10(high))];
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, index) => 10 ** (first + index));
}

/** Lines that are no longer than a panel is wide: vega only guesses at the width of text, and makes room for it. */
function wrap(text: string): string[] {
  const wrapped: string[] = [""];
  for (const word of text.split(" ")) {
    const line = wrapped.at(-1) ?? "";
    if (line !== "" && line.length + word.length >= maxLineLength) wrapped.push(word);
    else wrapped[wrapped.length - 1] = line === "" ? word : `${line} ${word}`;
  }
  return wrapped;
}

/** The last point of each series, moved up where two names would be printed over each other. */
function placeLabels(points: readonly Point[], domain: readonly number[], height: number): Point[] {
  const ends = new Map<Point[string], Point>();
  for (const point of points) {
    const known = ends.get(point["series"] ?? "");
    if (known === undefined || Number(point["x"]) > Number(known["x"]))
      ends.set(point["series"] ?? "", point);
  }
  const [low = 1, high = 1] = domain;
  const apart = (high / low) ** (labelPixels / height);
  const placed: Point[] = [];
  for (const end of [...ends.values()].toSorted((a, b) => Number(a["y"]) - Number(b["y"]))) {
    const below = placed.findLast(({ x }) => x === end["x"]);
    placed.push({ ...end, y: Math.max(Number(end["y"]), Number(below?.["y"] ?? 0) * apart) });
  }
  return placed;
}

/** Some panels side by side. */
export function board(panels: readonly Panel[], columns: number): Panel {
  return {
    concat: panels,
    columns,
    spacing: { row: 36, column: 90 },
    resolve: { scale: { color: "shared" } },
  };
}

/** Draws it as SVG. */
export async function draw(panel: Panel): Promise<string> {
  const spec = { $schema: "https://vega.github.io/schema/vega-lite/v6.json", config, ...panel };
  const { spec: compiled } = compile(spec as unknown as TopLevelSpec);
  const view = new View(parse(compiled), { renderer: "none" });
  try {
    return await view.toSVG();
  } finally {
    view.finalize();
  }
}
