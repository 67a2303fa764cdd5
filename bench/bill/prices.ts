/**
 * List prices of Cloudflare's Workers Paid plan for SQLite-backed Durable Objects, in dollars, read in November 2026.
 * What the plan includes (50 million rows written among it) is left out: it is the same for everybody.
 */
export const prices = {
  rowWritten: 1 / 1e6,
  rowRead: 0.001 / 1e6,
  request: 0.15 / 1e6,
  gigabyteSecond: 12.5 / 1e6,
} as const;

/** Incoming WebSocket messages that are billed as one request; outgoing ones are free. */
export const messagesPerRequest = 20;
/** An object is billed for its whole isolate as long as it runs, or is idle and could not hibernate. */
export const objectGigabytes = 0.128;

/** What was counted. */
export interface Counted {
  readonly seconds: number;
  readonly operations: number;
  readonly rowsWritten: number;
  readonly rowsRead: number;
  /** Incoming. */
  readonly messages: number;
}

/** What is billed for some piece of work. */
export interface Bill {
  readonly rowsWritten: number;
  readonly rowsRead: number;
  readonly requests: number;
  readonly gigabyteSeconds: number;
  readonly dollars: number;
}

/** Of people who work for an hour as they did while it was counted: the object is active all the time. */
export function billOfHour(counted: Counted): Bill {
  const times = 3_600 / counted.seconds;
  return price({
    rowsWritten: counted.rowsWritten * times,
    rowsRead: counted.rowsRead * times,
    requests: (counted.messages * times) / messagesPerRequest,
    gigabyteSeconds: 3_600 * objectGigabytes,
  });
}

/** Of a thousand operations at that pace. */
export function billOfThousand(counted: Counted): Bill {
  const times = 1_000 / counted.operations;
  return price({
    rowsWritten: counted.rowsWritten * times,
    rowsRead: counted.rowsRead * times,
    requests: (counted.messages * times) / messagesPerRequest,
    gigabyteSeconds: counted.seconds * times * objectGigabytes,
  });
}

/** What was counted of people who are only connected. */
export interface CountedIdle extends Omit<Counted, "operations"> {
  /** Each is a request. */
  readonly alarms: number;
  /** Of the whole server. */
  readonly cpuSeconds: number;
}

/**
 * Of people who are only connected for an hour. An idle object that could hibernate is not billed, and for the time that alarms and
 * messages have it run the CPU of its server stands, which is no less.
 */
export function billOfIdleHour(counted: CountedIdle, hibernates: boolean): Bill {
  const times = 3_600 / counted.seconds;
  return price({
    rowsWritten: counted.rowsWritten * times,
    rowsRead: counted.rowsRead * times,
    requests: (counted.messages / messagesPerRequest + counted.alarms) * times,
    gigabyteSeconds: (hibernates ? counted.cpuSeconds * times : 3_600) * objectGigabytes,
  });
}

function price(used: Omit<Bill, "dollars">): Bill {
  const dollars =
    used.rowsWritten * prices.rowWritten +
    used.rowsRead * prices.rowRead +
    used.requests * prices.request +
    used.gigabyteSeconds * prices.gigabyteSecond;
  return { ...used, dollars };
}
