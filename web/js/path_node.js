/** The Path Explorer node. */

import { registerViewer } from "./dom.js";
import { PathExplorer } from "./path_explorer.js";

registerViewer({ node: "CK_PathExplorer", widget: "CK_PATH_EXPLORER", key: "path_explorer", height: 420, width: 620, build: (host) => new PathExplorer(host) });
