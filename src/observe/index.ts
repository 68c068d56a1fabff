/**
 * `bookend/observe`: what an open log does, for those who watch over it. Traces need no import: see `docs/observing.md`.
 * @packageDocumentation
 */
export { metrics, metricsHandler } from './metrics.js'
