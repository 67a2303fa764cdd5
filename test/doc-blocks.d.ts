/** A code block of a page, see doc-modules.ts; that it compiles is another test's. */
declare module "docs:*";
