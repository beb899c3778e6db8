const WIDTH = 14;
const colours = [36, 33, 35, 32, 34, 31];

/** Returns what prints a line behind the name of whoever says it; on a terminal each name has a colour of its own. */
export function painter(stream) {
  const known = [];
  return (name, line) => {
    if (!known.includes(name)) known.push(name);
    const label = `${name.padEnd(WIDTH)}│`;
    const colour = colours[known.indexOf(name) % colours.length];
    stream.write(
      stream.isTTY && !process.env.NO_COLOR ? `\x1b[${colour}m${label}\x1b[0m ${line}\n` : `${label} ${line}\n`,
    );
  };
}
