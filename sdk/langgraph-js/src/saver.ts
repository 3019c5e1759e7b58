import type { RunnableConfig } from "@langchain/core/runnables";
import {
  BaseCheckpointSaver,
  TASKS,
  WRITES_IDX_MAP,
  getCheckpointId,
  maxChannelVersion,
  type ChannelVersions,
  type Checkpoint,
  type CheckpointListOptions,
  type CheckpointMetadata,
  type CheckpointPendingWrite,
  type CheckpointTuple,
  type DeltaChannelHistory,
  type PendingWrite,
  type SerializerProtocol,
} from "@langchain/langgraph-checkpoint";
import { Client, DashhostError, type Options } from "./client.js";

/** A value as the serializer made it. */
interface Typed {
  type: string;
  data: string; // base64
}

interface Write {
  task: string;
  channel: string;
  value: Typed;
}

interface Tuple {
  thread: string;
  ns: string;
  id: string;
  parent?: string;
  checkpoint: Typed;
  metadata: Typed;
  values: { channel: string; value: Typed }[];
  writes: Write[];
}

type ThreadConfig = { thread_id: string; checkpoint_ns: string; checkpoint_id?: string };

/**
 * Keeps LangGraph's checkpoints in a dashhost store. What `put` and `putWrites` have resolved is on the disk.
 *
 *     const saver = new DashhostSaver({ store: "checkpoints" });
 *     const graph = builder.compile({ checkpointer: saver });
 *     ...
 *     await saver.close();
 *
 * Errors are DashhostError, with a code. Several savers, processes and languages may use one store at once.
 */
export class DashhostSaver extends BaseCheckpointSaver<string> {
  private readonly client: Client;

  constructor(options?: Options, serde?: SerializerProtocol) {
    super(serde);
    this.client = new Client(options);
  }

  /** Ends the server that this saver has started. */
  close(): Promise<void> {
    return this.client.close();
  }

  async getTuple(config: RunnableConfig): Promise<CheckpointTuple | undefined> {
    const { thread_id, checkpoint_ns = "" } = config.configurable ?? {};
    if (thread_id === undefined) return undefined;
    const found = await this.find(thread_id, checkpoint_ns, getCheckpointId(config));
    return found ? this.tuple(found) : undefined;
  }

  private async find(thread: string, ns: string, id: string): Promise<Tuple | null> {
    const { tuple } = await this.client.request<{ tuple: Tuple | null }>("get_tuple", { thread, ns, checkpoint_id: id });
    return tuple;
  }

  async *list(config: RunnableConfig, options?: CheckpointListOptions): AsyncGenerator<CheckpointTuple> {
    const { thread_id, checkpoint_ns, checkpoint_id } = config.configurable ?? {};
    const filter = Object.fromEntries(Object.entries(options?.filter ?? {}).filter(([, v]) => v !== undefined));
    const query = { thread: thread_id, ns: checkpoint_ns, checkpoint_id, filter, before: options?.before?.configurable?.checkpoint_id };
    let limit = options?.limit;
    let cursor: object | undefined;
    do {
      const page = await this.client.request<{ tuples: Tuple[]; cursor?: object }>("list", { ...query, limit, cursor });
      for (const t of page.tuples) yield await this.tuple(t);
      if (limit !== undefined && (limit -= page.tuples.length) <= 0) return;
      cursor = page.cursor;
    } while (cursor);
  }

  async put(config: RunnableConfig, checkpoint: Checkpoint, metadata: CheckpointMetadata, newVersions: ChannelVersions): Promise<RunnableConfig> {
    const { thread_id, checkpoint_ns, checkpoint_id } = place(config, "put a checkpoint");
    const { channel_values, ...rest } = checkpoint;
    const values = Object.entries(newVersions).map(async ([channel, version]) => ({
      channel,
      version,
      value: Object.hasOwn(channel_values, channel) ? await this.dump(channel_values[channel]) : undefined,
    }));
    await this.client.request("put", {
      thread: thread_id,
      ns: checkpoint_ns,
      checkpoint: {
        id: checkpoint.id,
        parent: checkpoint_id,
        value: await this.dump(rest),
        metadata: await this.dump(metadata),
        fields: fields(metadata),
        versions: checkpoint.channel_versions,
      },
      values: await Promise.all(values),
    });
    return { configurable: { thread_id, checkpoint_ns, checkpoint_id: checkpoint.id } };
  }

  async putWrites(config: RunnableConfig, writes: PendingWrite[], taskId: string, taskPath?: string): Promise<void> {
    const { thread_id, checkpoint_ns, checkpoint_id } = place(config, "put writes");
    if (checkpoint_id === undefined) throw new DashhostError("invalid", 'cannot put writes: the config has no "checkpoint_id" in "configurable"');
    const values = writes.map(async ([channel, value], i) => ({
      index: WRITES_IDX_MAP[channel as string] ?? i,
      channel,
      value: await this.dump(value),
    }));
    await this.client.request("put_writes", {
      thread: thread_id,
      ns: checkpoint_ns,
      checkpoint_id,
      task: taskId,
      path: taskPath,
      writes: await Promise.all(values),
    });
  }

  async deleteThread(threadId: string): Promise<void> {
    await this.client.request("delete_thread", { thread: threadId });
  }

  /** Removes all checkpoints, with their writes, whose metadata has one of the run ids as run_id, in all threads. */
  async deleteForRuns(runIds: string[]): Promise<void> {
    await this.client.request("delete_for_runs", { runs: runIds });
  }

  /** Copies all checkpoints and writes, with their ids. */
  async copyThread(sourceThreadId: string, targetThreadId: string): Promise<void> {
    await this.client.request("copy_thread", { from: sourceThreadId, to: targetThreadId });
  }

  /** Keeps the newest checkpoint of each namespace, and what its delta channels are made of; "delete" keeps nothing. */
  async prune(threadIds: string[], strategy: "keep_latest" | "delete" = "keep_latest"): Promise<void> {
    await this.client.request("prune", { threads: threadIds, strategy });
  }

  override async getDeltaChannelHistory({ config, channels }: { config: RunnableConfig; channels: string[] }): Promise<Record<string, DeltaChannelHistory>> {
    if (channels.length === 0) return {};
    const { thread_id, checkpoint_ns } = place(config, "read a history");
    const { channels: found } = await this.client.request<{ channels: { channel: string; writes: Write[]; seed?: Typed }[] }>("delta_history", {
      thread: thread_id,
      ns: checkpoint_ns,
      checkpoint_id: getCheckpointId(config),
      channels,
    });
    const entries = found.map(async ({ channel, writes, seed }) => {
      const history: DeltaChannelHistory = { writes: await this.writes(writes) };
      if (seed) history.seed = await this.load(seed);
      return [channel, history] as const;
    });
    return Object.fromEntries(await Promise.all(entries));
  }

  /** Versions grow, and no two branches give out the same one. */
  override getNextVersion(current: string | undefined): string {
    const count = current === undefined ? 0 : Number.parseInt(String(current), 10);
    return `${String(count + 1).padStart(32, "0")}.${Math.random().toString().slice(2, 18).padEnd(16, "0")}`;
  }

  private async tuple(t: Tuple): Promise<CheckpointTuple> {
    const at = (checkpoint_id: string) => ({ configurable: { thread_id: t.thread, checkpoint_ns: t.ns, checkpoint_id } });
    const values = await Promise.all(t.values.map(async ({ channel, value }) => [channel, await this.load(value)] as const));
    const checkpoint = { ...(await this.load(t.checkpoint)), channel_values: Object.fromEntries(values) } as Checkpoint;
    if (checkpoint.v < 4 && t.parent) await this.migrateSends(checkpoint, t);
    return {
      config: at(t.id),
      checkpoint,
      metadata: await this.load(t.metadata),
      parentConfig: t.parent ? at(t.parent) : undefined,
      pendingWrites: await this.writes(t.writes),
    };
  }

  /** Before format 4, what was sent to tasks stood in the parent's writes and not in a channel. */
  private async migrateSends(checkpoint: Checkpoint, t: Tuple): Promise<void> {
    const parent = await this.find(t.thread, t.ns, t.parent!);
    const sends = (parent?.writes ?? []).filter((w) => w.channel === TASKS);
    checkpoint.channel_values[TASKS] = await Promise.all(sends.map((w) => this.load(w.value)));
    const versions = Object.values(checkpoint.channel_versions);
    checkpoint.channel_versions[TASKS] = versions.length > 0 ? maxChannelVersion(...versions) : this.getNextVersion(undefined);
  }

  private writes(ws: Write[]): Promise<CheckpointPendingWrite[]> {
    return Promise.all(ws.map(async (w): Promise<CheckpointPendingWrite> => [w.task, w.channel, await this.load(w.value)]));
  }

  private async dump(value: unknown): Promise<Typed> {
    const [type, data] = await this.serde.dumpsTyped(value);
    return { type, data: Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString("base64") };
  }

  private load({ type, data }: Typed): Promise<any> {
    return this.serde.loadsTyped(type, new Uint8Array(Buffer.from(data, "base64")));
  }
}

/** The thread, namespace and checkpoint of a config. */
function place(config: RunnableConfig, what: string): ThreadConfig {
  const { thread_id, checkpoint_ns = "", checkpoint_id } = config.configurable ?? {};
  if (typeof thread_id !== "string" || thread_id === "") {
    throw new DashhostError("invalid", `cannot ${what}: the config has no "thread_id" in "configurable"; a checkpointer needs one, for example graph.invoke(input, { configurable: { thread_id: "1" } })`);
  }
  return { thread_id, checkpoint_ns, checkpoint_id };
}

/** What of the metadata is JSON: list filters by it. */
function fields(metadata: object): Record<string, unknown> {
  const all: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(metadata)) {
    try {
      const text = JSON.stringify(value);
      if (text !== undefined) all[name] = JSON.parse(text);
    } catch {
      continue; // a BigInt, a ring: it cannot be asked for
    }
  }
  return all;
}
