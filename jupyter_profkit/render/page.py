"""The style sheet that a trusted page adds to a report: nothing is lost without it.

It names no colour that a theme must give. One rule turns each host's theme signal into
``color-scheme``, which the pictures follow.
"""

from __future__ import annotations

from typing import Final

__all__ = ["STYLE"]

_STYLE: Final = """
.jpk{font:13px/1.45 var(--jp-ui-font-family,var(--vscode-font-family,system-ui,sans-serif))}
[data-jp-theme-light=false] .jpk,html[theme=dark] .jpk,html[data-theme=dark] .jpk,body.vscode-dark .jpk,\
body.vscode-high-contrast .jpk{color-scheme:dark}
[data-jp-theme-light=true] .jpk,html[theme=light] .jpk,html[data-theme=light] .jpk,body.vscode-light .jpk\
{color-scheme:light}
.jpk table.jpk-t{font-size:inherit;color:inherit;table-layout:auto;width:auto;border:0}
.jpk table.jpk-t caption,.jpk table.jpk-t th,.jpk table.jpk-t td{color:inherit}
.jpk table.jpk-t thead tr,.jpk table.jpk-t thead th{position:sticky;top:0;z-index:1;\
background:var(--jp-layout-color1,var(--vscode-editor-background,Canvas))}
.jpk table.jpk-t th,.jpk table.jpk-t td{border-top:0;border-right:0;border-bottom:0;max-width:none}
.jpk table.jpk-t td{vertical-align:top}
.jpk table.jpk-t thead th{box-shadow:inset 0 -1px rgba(127,127,127,.5)}
.jpk table.jpk-t tbody tr{background:none;border-bottom:1px solid rgba(127,127,127,.14)}
.jpk table.jpk-t tbody tr:hover{background:rgba(127,127,127,.12)}
.jpk table.jpk-t td.jpk-n{font-variant-numeric:tabular-nums}
.jpk td.jpk-c,.jpk pre{font-family:var(--jp-code-font-family,var(--vscode-editor-font-family,monospace))}
[data-jp-theme-light=false] .jpk .c{color:inherit;opacity:.75}
.jpk .nf{color:var(--jp-mirror-editor-def-color)}.jpk .nb{color:var(--jp-mirror-editor-builtin-color)}
.jpk .nd{color:var(--jp-mirror-editor-meta-color)}
:where(.jpk .k){font-weight:600}:where(.jpk .c){font-style:italic}
:where(.jpk .s){color:light-dark(#a31515,#ce9178)}
.jpk summary{cursor:pointer}
.jpk summary::marker{color:rgba(127,127,127,.9)}
.jpk .jpk-tools{display:flex;flex-wrap:wrap;gap:2px 18px;align-items:center;padding:0 0 2px 0}
.jpk .jpk-tools b{font-weight:600}
.jpk .jpk-tools label,.jpk .jpk-tools span{font-size:12px;opacity:.85}
.jpk caption.jpk-said{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
.jpk .jpk-tools input[type=search]{font:inherit;color:inherit;background:none;\
border:1px solid rgba(127,127,127,.6);border-radius:3px;padding:0 6px;width:150px;height:20px;margin:0}
.jpk .jpk-tools label{display:flex;gap:6px;align-items:center}
.jpk th button{all:unset;cursor:pointer;font:inherit;position:relative}
.jpk th button:hover{text-decoration:underline}
.jpk th button::after{position:absolute;left:100%;padding-left:1px}
.jpk th[aria-sort=ascending] button::after{content:"\\2191"}
.jpk th[aria-sort=descending] button::after{content:"\\2193"}
.jpk-box:focus-visible,.jpk summary:focus-visible,.jpk button:focus-visible,.jpk input:focus-visible\
{outline:2px solid var(--jp-brand-color1,#1976d2);outline-offset:-2px}
@media print{.jpk{print-color-adjust:exact;-webkit-print-color-adjust:exact}
.jpk .jpk-box{display:block!important;max-height:none!important;overflow:visible!important}
.jpk .jpk-box img,.jpk .jpk-box>div{min-width:0!important}
.jpk pre{max-height:none!important;overflow:visible!important;white-space:pre-wrap!important}
.jpk td.jpk-c,.jpk td.jpk-x{white-space:pre-wrap!important;min-width:9em!important;text-indent:0!important}
.jpk td.highlight{overflow-wrap:anywhere}.jpk th button{display:contents}
.jpk table.jpk-t{font-size:10px}
.jpk table.jpk-t th{width:auto!important;min-width:0!important;white-space:normal!important}
.jpk table.jpk-t td.jpk-w{white-space:normal!important}
.jpk table.jpk-t th,.jpk table.jpk-t td{padding-left:4px!important;padding-right:4px!important}
.jp-OutputArea-child:has(.jpk){break-inside:auto}
.jpk tr,.jpk img,.jpk [role=heading],.jpk .jpk-how{break-inside:avoid}
.jpk>div:first-of-type,.jpk [role=heading],.jpk caption,.jpk thead,.jpk tbody tr:first-child{break-after:avoid}
.jpk .jpk-how::details-content{content-visibility:visible;block-size:auto}
.jpk-note,.jpk-controls,.jpk-static>summary{display:none!important}
.jpk caption.jpk-said{position:static;width:auto;height:auto;clip-path:none}
.jpk table.jpk-t thead tr,.jpk table.jpk-t thead th{position:static}.jpk .jpk-tools{display:none}}
"""

STYLE: Final = f"<style>{_STYLE.replace(chr(10), '')}</style>"
