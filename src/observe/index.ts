/**
 * `bookend/observe`: what an open log does, for those who watch over it. Traces need no import: see `docs/observing.md`.
 * @module bookend/observe
 */
export { metrics, metricsHandler } from './metrics.js'
