/**
 * Entry of the threads of every pool: a piscina worker, which takes its `run` from the module that its data names.
 *
 * CommonJS, and the module is imported: piscina asks `require()` first, and to end a thread while that links a graph of modules fails a check of V8
 * in Node 20 and 22, which ends the process. `import()` may be cut short anywhere.
 */
exports.run = import(require('node:worker_threads').workerData.entry).then(({ run }) => run)
