// Ends what `KEEP=1 make demo` left running: node e2e/demo_down.ts
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { endRegistered } from './harness/registry.ts'

const folder = join(import.meta.dirname, '..', '.demo')
const ended = await endRegistered(join(folder, 'processes.json'))
rmSync(folder, { recursive: true, force: true })
process.stdout.write(ended.length === 0 ? 'no demo is running\n' : `ended: ${ended.join(', ')}\n`)
