// To be loaded before a program (node --import): sets its wall clock ahead by CLOCK_SKEW_MS.
const skewMs = Number(process.env.CLOCK_SKEW_MS)
const now = Date.now

Date.now = () => now() + skewMs
globalThis.Date = new Proxy(Date, {
  construct: (target, args, self) =>
    Reflect.construct(target, args.length === 0 ? [Date.now()] : args, self),
})
