// The same tests once more, in Node: what an app's own tests mostly run in.
import "./clock.test.ts";
import "./mutator-check.test.ts";
import "./network.test.ts";
import "./room.test.ts";
