/** Entry of the thread that follows a log, in CommonJS: Node then sets up no loader of ES modules there, once all modules are one file (scripts/roll-up-modules.mjs). */
import('./follower.js')
