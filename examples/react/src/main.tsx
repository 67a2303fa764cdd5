import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import * as z from "zod/mini";
import { App } from "./app";

// zod would try `new Function` first, which the page's Content-Security-Policy refuses and reports.
z.config({ jitless: true });

const container = document.getElementById("root");
if (container === null) throw new Error("there is no #root on the page");
createRoot(container).render(
  <StrictMode>
    <App />
  </StrictMode>,
);
