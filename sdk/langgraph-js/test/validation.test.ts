// LangGraph's own suite, as a library, over a folder and over memory.
import { deltaChannelHistoryTests, validate } from "@langchain/langgraph-checkpoint-validation";
import { join } from "node:path";
import { DashhostSaver } from "../src/index.js";
import { folder } from "./dashhost.js";

let made = 0;
const dir = folder();
const initializer = {
  checkpointerName: "@dashhost/langgraph",
  createCheckpointer: () => new DashhostSaver({ store: join(dir, `store${made++}`) }),
  destroyCheckpointer: (saver: DashhostSaver) => saver.close(),
};

validate(initializer as never); // its types ask for savers that count with numbers
deltaChannelHistoryTests(initializer as never);
