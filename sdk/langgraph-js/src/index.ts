export { DashhostSaver } from "./saver.js";
export { DashhostError, type Options } from "./client.js";
