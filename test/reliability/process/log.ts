/** Lines of what a server has printed that it should not have had to: failures, exceptions and stacks. */
export function oddLines(log: string): string[] {
  return log.split("\n").filter((line) => {
    // The platform says this of each WebSocket that it has closed with 1002.
    if (line.includes("protocolError.statusCode")) return false;
    return /uncaught|^\s+at |"event":"(?!client-diverged|refused)/i.test(line);
  });
}
