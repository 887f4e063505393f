/** The Clip Player node; and the buttons of Extract Skeleton and Track Bat that open it over the page to click on the batter, or on the bat's tip. */

import { app } from "../../../scripts/app.js";
import { ClipPlayer } from "./clip_player.js";
import { make, noteChange, registerViewer } from "./dom.js";

registerViewer({
  node: "CK_ClipPlayer", widget: "CK_CLIP_PLAYER", key: "clip_player", height: 420, width: 520, build: (host) => new ClipPlayer({ ...host, height: 420 }),
});

const PICKERS = {
  CK_ExtractSkeleton: {
    widget: "chosen", button: "Choose the batter …", title: "Click on the batter, then run the node again",
    write: ({ x, y, frame }) => `${Math.round(x)}, ${Math.round(y)} @ ${frame}`, separator: "; ", onePerClip: true,
    read: (text) => {
      const found = text.match(/^\s*(-?[\d.]+)\s*,\s*(-?[\d.]+)\s*@\s*(\d+)\s*$/);
      return found && { x: +found[1], y: +found[2], frame: +found[3] };
    },
  },
  CK_TrackBat: {
    widget: "marks", button: "Correct the bat's tip …", title: "Click on the end of the bat in the frames where it is wrong or missing, then run the node again",
    write: ({ x, y, frame }) => `${frame}, ${x}, ${y}`, separator: "\n", onePerClip: false,
    read: (text) => {
      const found = text.match(/^\s*(\d+)\s*,\s*(-?[\d.]+)\s*,\s*(-?[\d.]+)\s*$/);
      return found && { frame: +found[1], x: +found[2], y: +found[3] };
    },
  },
};

/** The lines of a widget's text: which clip each is for ("" for any), what it says, and the mark, when it can be read. */
function readLines(text, picker) {
  return text.split(/[\n;]/).map((line) => line.trim()).filter(Boolean).map((line) => {
    const colon = line.lastIndexOf(":");
    return { clip: colon < 0 ? "" : line.slice(0, colon).trim(), line, mark: picker.read(colon < 0 ? line : line.slice(colon + 1)) };
  });
}

function openPicker(node, picker) {
  const payloads = node.properties.clip_player, widget = node.widgets.find((own) => own.name === picker.widget);
  const dialog = make("dialog", "ck-dialog", app.canvas.canvas.parentElement);
  const player = new ClipPlayer({ height: 300 });
  dialog.append(player.root);
  const bar = make("div", "ck-bar");
  player.root.prepend(bar);
  make("strong", "", bar, { textContent: picker.title });
  const chooser = make("select", "", bar, { ariaLabel: "Clip" });
  const close = make("button", "", bar, { type: "button", textContent: "Done", onclick: () => dialog.close() });
  close.style.marginLeft = "auto";
  dialog.addEventListener("keydown", (event) => {
    event.stopPropagation(); // the graph has shortcuts of its own
    if (event.key === "Escape") dialog.close();
  });
  dialog.addEventListener("close", () => {
    player.destroy();
    dialog.remove();
    noteChange();
  });
  if (!payloads?.length) player.message.textContent = "Run the node once: then its clip is shown here.";
  let name = "";
  const put = (lines) => {
    widget.value = lines.map(({ line }) => line).join(picker.separator);
    widget.callback?.(widget.value);
    refresh();
  };
  const refresh = () => {
    const lines = readLines(widget.value ?? "", picker);
    const here = lines.filter(({ clip, mark }) => mark && (!clip || clip === name));
    player.marks = here.map(({ mark }) => ({ ...mark, clip: 0 }));
    player.picks.replaceChildren(...here.map(({ line, mark }) => {
      const chip = make("button", "", null, { type: "button", textContent: `frame ${mark.frame}: ${mark.x}, ${mark.y}  ✕`, title: "Take this mark away" });
      chip.onclick = () => {
        put(lines.filter((other) => other.line !== line));
        player.root.focus();
      };
      return chip;
    }));
    player.draw();
  };
  player.onpick = (pick) => {
    // With several clips a line without a name serves the others too, and stays: the named one counts for this clip.
    const several = payloads.length > 1;
    const kept = readLines(widget.value ?? "", picker).filter(({ clip, mark }) =>
      !(mark && (clip === name || (!clip && !several)) && (picker.onePerClip || mark.frame === pick.frame)));
    const said = picker.write(pick);
    put([...kept, { line: several ? `${name}: ${said}` : said }]);
  };
  const choose = async (k) => {
    name = payloads[k].names[0];
    await player.load(payloads[k], 0);
    refresh();
  };
  (payloads ?? []).forEach((payload, k) => make("option", "", chooser, { value: k, textContent: payload.names[0] }));
  chooser.hidden = !(payloads?.length > 1);
  chooser.onchange = () => choose(+chooser.value);
  dialog.showModal();
  player.root.focus();
  if (payloads?.length) choose(0);
  return player;
}

app.registerExtension({
  name: "CorrelatedKinetics.Pickers",
  nodeCreated(node) {
    const picker = PICKERS[node.comfyClass];
    if (!picker) return;
    // Last, and not written into the workflow: before others it would shift their values.
    const button = node.addWidget("button", picker.button, null, () => { button.player = openPicker(node, picker); }, { serialize: false });
    button.serialize = false;
    const { onExecuted } = node;
    node.onExecuted = function (output) {
      onExecuted?.apply(this, arguments);
      if (output?.clip_player) this.properties.clip_player = output.clip_player;
    };
  },
});
