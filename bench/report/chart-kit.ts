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

/** Each system has its colour in every chart. */
export const systemColor = {
  domain: names.map((name) => titles[name]),
  range: names.map((name) => colors[name]),
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

/** A point of a chart, by the names of its fields. */
export type Point = { readonly [field: string]: string | number };

/** A part of a chart, as vega-lite describes it. */
export type Panel = { readonly [member: string]: unknown };

export interface BarPanel {
  readonly title: string;
  readonly subtitle: string;
  /** `system` and `value`. */
  readonly points: readonly Point[];
}

/** One bar a system, with its number behind it. */
export function bars({ title, subtitle, points }: BarPanel): Panel {
  const order = systemColor.domain;
  return {
    title: { text: title, subtitle },
    width: 300,
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
          x: { field: "value", type: "quantitative", axis: null },
          color: { field: "system", type: "nominal", scale: systemColor, legend: null },
        },
      },
      {
        mark: { type: "text", align: "left", dx: 4 },
        encoding: {
          x: { field: "value", type: "quantitative" },
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
  /** `series`, `x` and `y`. */
  readonly points: readonly Point[];
  /** Colours of series that are no systems. */
  readonly scale?: { readonly domain: readonly string[]; readonly range: readonly string[] };
}

/** Lines over logarithmic axes, each named at its end. */
export function lines({ title, subtitle, xTitle, yTitle, points, scale = systemColor }: LinePanel): Panel {
  const lowest = Math.min(...points.map(({ y }) => Number(y)));
  const highest = Math.max(...points.map(({ y }) => Number(y)));
  // A line that does not rise should look like it: at least two decades are shown.
  const middle = Math.sqrt(lowest * highest);
  const domain = [Math.min(lowest / 1.5, middle / 10), Math.max(highest * 1.5, middle * 10)];
  const color = { field: "series", type: "nominal", scale, legend: null };
  const x = {
    field: "x",
    type: "quantitative",
    scale: { type: "log", nice: false },
    axis: {
      title: xTitle,
      values: [...new Set(points.map((point) => Number(point["x"])))],
      format: ",~r",
      grid: false,
    },
  };
  const y = {
    field: "y",
    type: "quantitative",
    scale: { type: "log", domain, nice: false },
    axis: { title: yTitle, format: ",~r", tickCount: 4 },
  };
  return {
    title: { text: title, subtitle },
    width: 300,
    height: 200,
    data: { values: points },
    layer: [
      {
        mark: { type: "line", point: { size: 40, filled: true }, strokeWidth: 2 },
        encoding: { x, y, color },
      },
      {
        transform: [
          {
            window: [{ op: "rank", as: "fromEnd" }],
            sort: [{ field: "x", order: "descending" }],
            groupby: ["series"],
          },
          { filter: "datum.fromEnd === 1" },
        ],
        mark: { type: "text", align: "left", dx: 8, fontWeight: "bold" },
        encoding: { x, y, color, text: { field: "series", type: "nominal" } },
      },
    ],
  };
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
