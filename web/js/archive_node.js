/** The Archive Browser node. */

import { ArchiveBrowser } from "./archive_browser.js";
import { registerViewer } from "./dom.js";

registerViewer({
  node: "CK_ArchiveBrowser", widget: "CK_ARCHIVE_BROWSER", key: "archive_browser", height: 420, width: 720,
  build({ commit, node }) {
    const widget = node.widgets?.find((own) => own.name === "picked");
    const viewer = new ArchiveBrowser({
      commit,
      pick(name) {
        widget.value = name;
        widget.callback?.(name);
        commit();
      },
    });
    if (!widget) return viewer;
    const { callback } = widget;
    widget.callback = function (name) {
      callback?.apply(this, arguments);
      if (name !== viewer.picked) viewer.setPicked(name);
    };
    // A workflow that is loaded sets widgets without telling them.
    const { load } = viewer;
    viewer.load = (payload) => {
      viewer.setPicked(widget.value);
      return load.call(viewer, payload);
    };
    return viewer;
  },
});
