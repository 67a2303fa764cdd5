/** A file as text, read when the tests are bundled. */
declare module "*?raw" {
  const text: string;
  export default text;
}
