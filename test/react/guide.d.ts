/** A block of code of a page in docs/guide. */
declare module "virtual:guide/*";
