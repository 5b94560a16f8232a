// Builds what the end-to-end tests need: node e2e/harness/build_tools.ts
import { ensureAll } from './tools.ts'

try {
  await ensureAll()
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = 1
}
