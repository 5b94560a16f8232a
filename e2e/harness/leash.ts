import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process'
import { Socket } from 'node:net'

export interface Leashed {
  readonly child: ChildProcess
  /** Lets the program, and what it started, outlive this process. */
  readonly release: () => Promise<void>
}

/**
 * The shell becomes the program (same pid), after leaving a reader of descriptor 3 in the program's
 * process group. When our end of that pipe closes, the reader kills the group; a word sent first
 * spares it. The reader is a member of the group, so its number cannot have been taken by others.
 */
const script = `
( IFS= read -r word <&3; [ "$word" = release ] || kill -KILL 0 ) </dev/null >/dev/null 2>&1 &
exec "$@" 3<&-`

/**
 * Starts a program in a process group of its own that is killed when this process ends in any way,
 * SIGKILL included, and when the program ends and leaves children behind. Neither program nor pipe
 * keeps this process running.
 */
export function spawnLeashed(
  command: string,
  args: readonly string[],
  stdio: readonly [
    'ignore',
    output: 'inherit' | 'pipe' | number,
    errors: 'inherit' | 'pipe' | number,
  ],
  options: Pick<SpawnOptions, 'cwd' | 'env'>,
): Leashed {
  const child = spawn('/bin/sh', ['-c', script, 'leash', command, ...args], {
    ...options,
    stdio: [...stdio, 'pipe'],
    detached: true,
  })
  const pipe = child.stdio[3]
  if (!(pipe instanceof Socket)) throw new Error('descriptor 3 of a child is not a pipe')
  // The reader's end may be gone before ours.
  pipe.on('error', () => undefined)
  child.on('exit', () => pipe.destroy())
  child.unref()
  pipe.unref()
  return {
    child,
    release: () => new Promise((resolve) => pipe.end('release\n', resolve)),
  }
}
