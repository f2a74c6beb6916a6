import { bufModules } from "../image/modules.js";
import type { Settings } from "../project/settings.js";
import { type Watcher, watchTree } from "./tree.js";

/** The kind of a change: the contract or its settings, or only handwritten code. */
export interface ProjectChange {
  readonly contract: boolean;
}

/**
 * Calls `react` after each change of the contract, of buf's or the tool's settings, of templates, or of the services'
 * sources. Calls do not overlap: changes during a call lead to one more. `react` must not reject.
 */
export async function watchProject(
  { root, services, generated }: Settings,
  react: (change: ProjectChange) => Promise<void>,
): Promise<Watcher> {
  const modules = await bufModules(root);
  const inside = (path: string, folder: string) => folder === "." || path === folder || path.startsWith(`${folder}/`);
  const isContract = (path: string) =>
    (path.endsWith(".proto") && modules.some((module) => inside(path, module))) ||
    /^(buf(\.[a-z]+)*\.(yaml|lock)|package\.json)$/.test(path) ||
    inside(path, "templates");
  const isSource = (path: string) => inside(path, services) && !/(^|\/)\.|~$|\.test\.[jt]sx?$/.test(path);
  const enter = (folder: string) => {
    if (/(^|\/)(\.[^/]*|node_modules|dist)$/.test(folder) || inside(folder, generated)) return false;
    const wanted = [...modules, services, "templates"];
    return wanted.some((place) => inside(folder, place) || place.startsWith(`${folder}/`));
  };

  let waiting: { contract: boolean } | undefined;
  let running = false;
  const run = async () => {
    running = true;
    for (let change = waiting; change !== undefined; change = waiting) {
      waiting = undefined;
      await react(change);
    }
    running = false;
  };
  return watchTree(root, enter, (paths) => {
    const contract = [...paths].some(isContract);
    if (!contract && ![...paths].some(isSource)) return;
    waiting = { contract: contract || waiting?.contract === true };
    if (!running) void run();
  });
}
