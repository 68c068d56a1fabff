// comlink types its Node adapter as .d.ts beside an .mjs file, which nodenext does not find.
declare module 'comlink/dist/esm/node-adapter.mjs' {
  import type { MessagePort, Worker } from 'node:worker_threads'
  export default function nodeEndpoint(port: MessagePort | Worker): unknown
}
