import { type ProgramResult, type ProgramSetting, runProgram } from './program.ts'

export interface KubectlOptions {
  /** Standard input, for `-f -`. */
  readonly input?: string
  /** Impersonate this user. */
  readonly as?: string
}

export function runKubectl(
  setting: ProgramSetting,
  args: readonly string[],
  { input = '', as }: KubectlOptions = {},
): Promise<ProgramResult> {
  return runProgram(setting, as === undefined ? args : [`--as=${as}`, ...args], input)
}
