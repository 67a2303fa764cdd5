/** What one trial came to: figures by name, and in words what went wrong. */
export interface Figures {
  readonly [name: string]: number | string | undefined;
  readonly trouble?: string;
}
