import type * as TestWorker from "./rooms/test-worker.ts";

declare global {
  namespace Cloudflare {
    /** What test/wrangler.toml binds. */
    interface Env {
      ROOMS: DurableObjectNamespace<TestWorker.Board>;
      TEST_ROOMS: DurableObjectNamespace<TestWorker.TestRoom>;
      SMALL_ROOMS: DurableObjectNamespace<TestWorker.SmallRoom>;
      THRIFTY_ROOMS: DurableObjectNamespace<TestWorker.ThriftyRoom>;
      WATCHFUL_ROOMS: DurableObjectNamespace<TestWorker.WatchfulRoom>;
      CARD_ROOMS: DurableObjectNamespace<TestWorker.CardRoom>;
      ATTACK_ROOMS: DurableObjectNamespace<TestWorker.AttackRoom>;
      LIST_ROOMS: DurableObjectNamespace<TestWorker.ListRoom>;
      TIGHT_ROOMS: DurableObjectNamespace<TestWorker.TightRoom>;
      SCRATCH: DurableObjectNamespace<TestWorker.Scratch>;
    }
    interface GlobalProps {
      mainModule: typeof TestWorker;
    }
  }
}
