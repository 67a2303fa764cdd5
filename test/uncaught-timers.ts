/**
 * In workerd, an exception thrown by a timer's callback is printed and fails no test. Vitest does see unhandled
 * rejections, so here each such exception is one as well, and the run fails.
 */
function surfacing(schedule: typeof setTimeout): typeof setTimeout {
  return ((callback: (...args: unknown[]) => void, delayMs?: number, ...args: unknown[]) =>
    schedule(() => {
      try {
        callback(...args);
      } catch (error) {
        void Promise.reject(error);
      }
    }, delayMs)) as typeof setTimeout;
}

globalThis.setTimeout = surfacing(globalThis.setTimeout);
globalThis.setInterval = surfacing(globalThis.setInterval);
