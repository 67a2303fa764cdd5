import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./app";

const container = document.getElementById("root");
if (container === null) throw new Error("there is no #root on the page");
createRoot(container).render(
  <StrictMode>
    <App />
  </StrictMode>,
);
