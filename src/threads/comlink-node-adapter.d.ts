// comlink types its Node adapter as a module with a default export, where the one for CommonJS is that function itself. Files of threads are CommonJS.
declare module 'comlink/dist/umd/node-adapter.js' {
  import type { MessagePort, Worker } from 'node:worker_threads'
  export default function nodeEndpoint(port: MessagePort | Worker): unknown
}
