/** Styles of the viewers, in the host's colours; put once into each viewer's own tree. */

const RULES = `
.ck-viewer { display: flex; flex-direction: column; gap: 4px; min-width: 0; overflow: hidden; box-sizing: border-box; width: 100%; height: 100%;
  padding: 4px; color: var(--input-text, #ddd); background: var(--comfy-menu-bg, #222); font: 12px/1.35 system-ui, sans-serif; border-radius: 6px;
  transition: color 1ms; }
.ck-viewer:focus-visible, .ck-viewer :focus-visible { outline: 2px solid #4fc3f7; outline-offset: -2px; }
.ck-viewer [hidden] { display: none !important; }
.ck-viewer .ck-grid { flex: 1 1 0; min-height: 120px; position: relative; }
.ck-viewer .ck-cell { position: absolute; overflow: hidden; background: #000; border-radius: 3px; }
.ck-viewer .ck-cell video, .ck-viewer .ck-cell canvas { position: absolute; inset: 0; width: 100%; height: 100%; }
.ck-viewer .ck-cell.ck-no-video video { visibility: hidden; }
.ck-viewer .ck-name { position: absolute; left: 4px; top: 3px; max-width: calc(100% - 8px); padding: 0 5px; overflow: hidden; white-space: nowrap;
  text-overflow: ellipsis; color: #fff; background: #000a; border-left: 3px solid; border-radius: 3px; pointer-events: none; }
.ck-viewer .ck-message { position: absolute; inset: 0; display: grid; place-items: center; text-align: center; padding: 12px; opacity: .8; }
.ck-viewer .ck-bar { flex: none; display: flex; flex-wrap: wrap; gap: 4px 6px; align-items: center; }
.ck-viewer .ck-bar button, .ck-viewer .ck-bar select { height: 24px; padding: 0 7px; font: inherit; color: inherit; cursor: pointer;
  background: var(--comfy-input-bg, #333); border: 1px solid var(--border-color, #555); border-radius: 4px; }
.ck-viewer .ck-bar button[aria-pressed="true"] { border-color: #4fc3f7; box-shadow: inset 0 -2px #4fc3f7; }
.ck-viewer .ck-bar button.ck-main { min-width: 76px; font-weight: 600; }
.ck-viewer .ck-bar input[type="range"] { flex: 1 1 120px; min-width: 60px; height: 22px; margin: 0; touch-action: none; accent-color: #4fc3f7; }
.ck-viewer .ck-time { font-variant-numeric: tabular-nums; white-space: nowrap; min-width: 132px; text-align: right; }
.ck-viewer .ck-chart { flex: 0 0 clamp(110px, 30%, 220px); position: relative; min-width: 0; }
.ck-viewer .ck-chart canvas { position: absolute; inset: 0; width: 100%; height: 100%; touch-action: none; cursor: crosshair; }
.ck-viewer .ck-note { flex: none; min-height: 16px; font-variant-numeric: tabular-nums; opacity: .9; }
.ck-viewer .ck-value { display: inline-block; margin-right: 14px; padding-left: 6px; border-left: 3px solid; }
.ck-viewer .ck-picks { flex: none; display: flex; flex-wrap: wrap; gap: 4px; max-height: 76px; overflow: auto; }
.ck-viewer .ck-picks button { height: 22px; padding: 0 6px; font: inherit; color: inherit; background: var(--comfy-input-bg, #333);
  border: 1px solid var(--border-color, #555); border-radius: 11px; cursor: pointer; }
.ck-viewer .ck-path { flex: 1 1 0; min-height: 160px; display: flex; gap: 6px; position: relative; }
.ck-viewer .ck-matrix { flex: none; height: 100%; cursor: crosshair; touch-action: none; border-radius: 3px; }
.ck-viewer .ck-frames { flex: 1 1 0; min-width: 0; display: flex; flex-direction: column; gap: 4px; }
.ck-viewer .ck-frames .ck-cell { position: relative; flex: 1 1 0; min-height: 0; }
.ck-viewer .ck-frames video, .ck-viewer .ck-frames canvas { object-fit: contain; }
.ck-viewer .ck-archive { flex: 1 1 0; min-height: 200px; display: flex; gap: 6px; position: relative; }
.ck-viewer .ck-scatter { flex: 1 1 0; min-width: 0; width: 0; height: 100%; cursor: crosshair; touch-action: none; border-radius: 3px; }
.ck-viewer .ck-side { flex: 0 0 clamp(190px, 34%, 340px); min-width: 0; display: flex; flex-direction: column; gap: 4px; }
.ck-viewer .ck-side .ck-cell { position: relative; flex: 1 1 0; min-height: 90px; }
.ck-viewer .ck-figures { flex: none; display: grid; grid-template-columns: auto 1fr; gap: 0 8px; max-height: 45%; overflow: auto; }
.ck-viewer .ck-figures dt { opacity: .7; white-space: nowrap; }
.ck-viewer .ck-figures dd { margin: 0; overflow-wrap: anywhere; font-variant-numeric: tabular-nums; }
.ck-viewer .ck-silent { flex: none; display: flex; flex-direction: column; gap: 2px; }
.ck-viewer .ck-silent select { font: inherit; color: inherit; background: var(--comfy-input-bg, #333); border: 1px solid var(--border-color, #555);
  border-radius: 4px; }
.ck-viewer .ck-sign { width: 14px; height: 14px; vertical-align: -3px; margin-right: 4px; }
.ck-dialog { width: min(1200px, 94vw); height: min(860px, 92vh); padding: 0; border: 1px solid var(--border-color, #555); border-radius: 8px;
  background: var(--comfy-menu-bg, #222); }
.ck-dialog::backdrop { background: #000a; }
`;

/** Put the styles into a viewer's root. */
export function addStyle(root) {
  const style = document.createElement("style");
  style.textContent = RULES;
  root.append(style);
}
