/** A code block of a page, see docs/guide-code.ts; that it compiles is another test's. */
declare module "virtual:guide/*";
