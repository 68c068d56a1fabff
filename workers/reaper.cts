/** Entry of the reaper's thread, in CommonJS: Node then sets up no loader of ES modules there, once all modules are one file (scripts/roll-up-modules.mjs). */
import('./reaper.js')
